from __future__ import annotations

import pytest

from twinforge.compat.facts import USES, Use
from twinforge.compat.instances import find_instance, instance_types
from twinforge.compat.rules import Answer, Verdict, accelerator_fits

AMI_535 = "al2-ami-sagemaker-inference-gpu-2"
AMI_580 = "al2023-ami-sagemaker-inference-gpu-4-1"


def judge(name: str, cuda: str, use: Use = "hosting") -> Verdict:
    return accelerator_fits(find_instance(name), cuda, use=use)


@pytest.mark.parametrize(
    ("name", "cuda", "answer", "ami"),
    [
        # no CUDA, no GPU needed
        ("ml.m4.xlarge", "", Answer.WORKS, ""),
        ("ml.p2.xlarge", "", Answer.WORKS, ""),
        ("ml.inf1.xlarge", "", Answer.WORKS, ""),
        # AWS, inference-gpu-drivers: "Driver version: 470 / CUDA version: CUDA 11.4 / Instance types
        # (default): ml.p4d.*, ml.p4de.*, ml.g4dn.*, ml.g5.*"; NVIDIA: "CUDA 11.x: >= 450"
        ("ml.g4dn.xlarge", "11.8", Answer.WORKS, ""),
        ("ml.p2.xlarge", "11.8", Answer.WORKS, ""),
        ("ml.p3.2xlarge", "11.8", Answer.WORKS, ""),
        # NVIDIA, minor version compatibility: "CUDA 12.x: >= 525"; botocore, InferenceAmiVersion:
        # of "al2-ami-sagemaker-inference-gpu-2": "NVIDIA driver version: 535, CUDA version: 12.2"
        ("ml.g4dn.xlarge", "12.9", Answer.CONDITIONAL, AMI_535),
        ("ml.g5.xlarge", "12.4", Answer.CONDITIONAL, AMI_535),
        ("ml.p3.2xlarge", "12.9", Answer.CONDITIONAL, AMI_535),
        # AWS, the same page: "535, CUDA 12.2: ml.p5.*, ml.g6.*", "550, CUDA 12.4: ml.p5e.*, ml.p5en.*"
        ("ml.g6.xlarge", "12.9", Answer.WORKS, ""),
        ("ml.p5.48xlarge", "12.9", Answer.WORKS, ""),
        ("ml.p5en.48xlarge", "12.9", Answer.WORKS, ""),
        # "CUDA 13.x: >= 580"; "al2023-ami-sagemaker-inference-gpu-4-1: 580, CUDA version: 13.0".
        # A CUDA 13 image on ml.g4dn.xlarge: CannotStartContainerError without it, starts with it
        ("ml.g4dn.xlarge", "13.0", Answer.CONDITIONAL, AMI_580),
        ("ml.g5.xlarge", "13.2", Answer.CONDITIONAL, AMI_580),
        # CUDA 11.0 compiles up to sm_80, and "a cubin is supported to run on any GPU with the same
        # major revision and same or higher minor revision"
        ("ml.g5.xlarge", "11.0", Answer.CONDITIONAL, ""),
        # CUDA 11.4 compiles up to sm_87; H100 is sm_90: PTX only, which nobody promises
        ("ml.p5.48xlarge", "11.4", Answer.UNKNOWN, ""),
        ("ml.g5.xlarge", "14.0", Answer.UNKNOWN, ""),
        ("ml.g5.xlarge", "latest", Answer.UNKNOWN, ""),
        ("ml.m4.xlarge", "12.9", Answer.IMPOSSIBLE, ""),
        ("ml.trn1.2xlarge", "12.9", Answer.IMPOSSIBLE, ""),
        # NVIDIA's matrix: Kepler ends with CUDA 11.x and driver 470
        ("ml.p2.xlarge", "12.0", Answer.IMPOSSIBLE, ""),
        # CUDA 13: "nvcc --list-gpu-arch" begins at compute_75; V100 is 7.0
        ("ml.p3.2xlarge", "13.0", Answer.IMPOSSIBLE, ""),
        # Graviton, and Grace beside a GB200
        ("ml.c7g.large", "", Answer.IMPOSSIBLE, ""),
        ("ml.p6e-gb200.36xlarge", "12.9", Answer.IMPOSSIBLE, ""),
    ],
)
def test_hosting_follows_the_published_tables(
    name: str, cuda: str, answer: Answer, ami: str
) -> None:
    verdict = judge(name, cuda)
    assert (verdict.answer, verdict.ami) == (answer, ami)


def test_k80_and_cuda_12_name_the_facts_that_conflict_with_their_sources() -> None:
    verdict = judge("ml.p2.xlarge", "12.9")
    assert [fact.text for fact in verdict.facts] == [
        "p2 has the NVIDIA Tesla K80, of compute capability 3.7",
        "CUDA 12.9 knows compute capabilities 5.0 to 12.1",
        "the last release that knows sm_37 is CUDA 11.8",
    ]
    assert all(fact.sources for fact in verdict.facts)


def test_a_condition_names_the_parameter_the_ami_and_both_drivers() -> None:
    (condition,) = judge("ml.g4dn.xlarge", "12.9").conditions
    drivers = "driver 535; the default is 470, CUDA 12.9 needs 525.60.13"
    assert condition == f"InferenceAmiVersion '{AMI_535}' ({drivers})"


def test_an_ami_that_no_source_lists_for_the_family_is_said_to_be_so() -> None:
    conditions = judge("ml.p6-b200.48xlarge", "12.9").conditions
    assert f"no source says whether '{AMI_580}' runs on ml.p6-b200" in conditions


def test_the_lowest_driver_is_that_of_the_first_release_that_knows_the_gpu() -> None:
    verdict = judge("ml.p6-b200.48xlarge", "12.9")
    inferred = verdict.facts[2]
    assert inferred.text.startswith("sm_100 needs driver 570")
    assert not inferred.verified


@pytest.mark.parametrize("use", ["training", "processing"])
def test_jobs_whose_host_driver_is_not_published_work_with_that_note(use: Use) -> None:
    verdict = judge("ml.p2.xlarge", "11.8", use)
    assert verdict.answer is Answer.CONDITIONAL
    assert verdict.ami == ""
    assert verdict.conditions == (
        f"the host driver of {use} jobs on ml.p2 is not published; CUDA 11.8 needs 450.80.02",
    )


def test_training_on_a_gpu_that_the_cuda_release_dropped_is_impossible_all_the_same() -> None:
    assert judge("ml.p2.xlarge", "12.9", "training").answer is Answer.IMPOSSIBLE


def test_batch_transform_has_ami_versions_of_its_own() -> None:
    verdict = judge("ml.g5.xlarge", "12.9", "transform")
    assert verdict.ami == "al2-ami-sagemaker-batch-gpu-535"
    assert verdict.conditions[0].startswith("TransformAmiVersion ")
    assert judge("ml.g5.xlarge", "13.0", "transform").answer is Answer.IMPOSSIBLE


def test_a_type_that_is_not_offered_for_the_use_is_impossible() -> None:
    verdict = judge("ml.m7i-flex.large", "", "hosting")
    assert verdict.reason == "ml.m7i-flex.large is not offered for hosting"


def test_arm64_images_run_on_arm64_only() -> None:
    graviton = find_instance("ml.c7g.large")
    assert accelerator_fits(graviton, "", cpu_arch="arm64").answer is Answer.WORKS
    intel = find_instance("ml.m5.large")
    assert accelerator_fits(intel, "", cpu_arch="arm64").answer is Answer.IMPOSSIBLE


def test_a_patch_release_is_judged_as_its_minor_release() -> None:
    assert judge("ml.g4dn.xlarge", "12.9.1") == judge("ml.g4dn.xlarge", "12.9")


def test_every_answer_has_what_it_needs() -> None:
    for instance in instance_types().values():
        for use in USES:
            for cuda in ("", "9.0", "10.2", "11.0", "11.8", "12.0", "12.9", "13.0", "13.5"):
                verdict = accelerator_fits(instance, cuda, use=use)
                assert bool(verdict.conditions) == (verdict.answer is Answer.CONDITIONAL)
                assert not verdict.ami or verdict.answer is Answer.CONDITIONAL
                if verdict.answer is Answer.IMPOSSIBLE:
                    assert verdict.reason
                    assert all(fact.sources for fact in verdict.facts)
