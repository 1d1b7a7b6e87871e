from __future__ import annotations

import pytest

from twinforge.compat.facts import USES, Use
from twinforge.compat.instances import instance_types
from twinforge.compat.question import Answer, Device, Question
from twinforge.compat.resolve import resolve
from twinforge.compat.verdict import Verdict

AMI_535 = "al2-ami-sagemaker-inference-gpu-2"
AMI_580 = "al2023-ami-sagemaker-inference-gpu-4-1"


def ask(name: str, cuda: str, use: Use = "hosting", cpu_arch: str = "amd64") -> Answer:
    device: Device = "cuda" if cuda else "cpu"
    question = Question(cuda=cuda, instances=(name,), use=use, cpu_arch=cpu_arch, device=device)
    return resolve(question, changes=0)


def ami_of(answer: Answer, name: str) -> str:
    return answer.choice.amis.get(name, "") if answer.choice else ""


@pytest.mark.parametrize(
    ("name", "cuda", "verdict", "ami"),
    [
        # no CUDA, no GPU needed
        ("ml.m4.xlarge", "", Verdict.WORKS, ""),
        ("ml.p2.xlarge", "", Verdict.WORKS, ""),
        ("ml.inf1.xlarge", "", Verdict.WORKS, ""),
        # AWS, inference-gpu-drivers: "Driver version: 470 / CUDA version: CUDA 11.4 / Instance types
        # (default): ml.p4d.*, ml.p4de.*, ml.g4dn.*, ml.g5.*"; NVIDIA: "CUDA 11.x: >= 450"
        ("ml.g4dn.xlarge", "11.8", Verdict.WORKS, ""),
        ("ml.p2.xlarge", "11.8", Verdict.WORKS, ""),
        ("ml.p3.2xlarge", "11.8", Verdict.WORKS, ""),
        # NVIDIA, minor version compatibility: "CUDA 12.x: >= 525"; botocore, InferenceAmiVersion:
        # of "al2-ami-sagemaker-inference-gpu-2": "NVIDIA driver version: 535, CUDA version: 12.2"
        ("ml.g4dn.xlarge", "12.9", Verdict.CONDITIONAL, AMI_535),
        ("ml.g5.xlarge", "12.4", Verdict.CONDITIONAL, AMI_535),
        ("ml.p3.2xlarge", "12.9", Verdict.CONDITIONAL, AMI_535),
        # AWS, the same page: "535, CUDA 12.2: ml.p5.*, ml.g6.*", "550, CUDA 12.4: ml.p5e.*, ml.p5en.*"
        ("ml.g6.xlarge", "12.9", Verdict.WORKS, ""),
        ("ml.p5.48xlarge", "12.9", Verdict.WORKS, ""),
        ("ml.p5en.48xlarge", "12.9", Verdict.WORKS, ""),
        # "CUDA 13.x: >= 580"; "al2023-ami-sagemaker-inference-gpu-4-1: 580, CUDA version: 13.0".
        # A CUDA 13 image on ml.g4dn.xlarge: CannotStartContainerError without it, starts with it
        ("ml.g4dn.xlarge", "13.0", Verdict.CONDITIONAL, AMI_580),
        ("ml.g5.xlarge", "13.2", Verdict.CONDITIONAL, AMI_580),
        # CUDA 11.0 compiles up to sm_80, and "a cubin is supported to run on any GPU with the same
        # major revision and same or higher minor revision"
        ("ml.g5.xlarge", "11.0", Verdict.CONDITIONAL, ""),
        # CUDA 11.4 compiles up to sm_87; H100 is sm_90: PTX only, which nobody promises
        ("ml.p5.48xlarge", "11.4", Verdict.UNKNOWN, ""),
        ("ml.g5.xlarge", "14.0", Verdict.UNKNOWN, ""),
        ("ml.g5.xlarge", "latest", Verdict.UNKNOWN, ""),
        ("ml.m4.xlarge", "12.9", Verdict.IMPOSSIBLE, ""),
        ("ml.trn1.2xlarge", "12.9", Verdict.IMPOSSIBLE, ""),
        # NVIDIA's matrix: Kepler ends with CUDA 11.x and driver 470
        ("ml.p2.xlarge", "12.0", Verdict.IMPOSSIBLE, ""),
        # CUDA 13: "nvcc --list-gpu-arch" begins at compute_75; V100 is 7.0
        ("ml.p3.2xlarge", "13.0", Verdict.IMPOSSIBLE, ""),
        # Graviton, and Grace beside a GB200
        ("ml.c7g.large", "", Verdict.IMPOSSIBLE, ""),
        ("ml.p6e-gb200.36xlarge", "12.9", Verdict.IMPOSSIBLE, ""),
    ],
)
def test_hosting_follows_the_published_tables(
    name: str, cuda: str, verdict: Verdict, ami: str
) -> None:
    answer = ask(name, cuda)
    assert (answer.verdict, ami_of(answer, name)) == (verdict, ami)


def test_k80_and_cuda_12_name_the_facts_that_conflict_with_their_sources() -> None:
    answer = ask("ml.p2.xlarge", "12.9")
    assert [fact.text for fact in answer.conflict] == [
        "p2 has the NVIDIA Tesla K80, of compute capability 3.7",
        "CUDA 12.9 knows compute capabilities 5.0 to 12.1; CUDA 12.0 dropped the older ones",
    ]
    assert all(fact.sources for fact in answer.conflict)


def test_a_condition_names_the_parameter_the_ami_and_both_drivers() -> None:
    (condition,) = ask("ml.g4dn.xlarge", "12.9").conditions
    drivers = "driver 535; the default is 470, CUDA 12.9 needs 525.60.13"
    assert condition == f"InferenceAmiVersion '{AMI_535}' ({drivers})"


def test_an_ami_that_no_source_lists_for_the_family_is_said_to_be_so() -> None:
    conditions = ask("ml.p6-b200.48xlarge", "12.9").conditions
    assert f"no source says whether '{AMI_580}' runs on ml.p6-b200" in conditions


def test_the_lowest_driver_is_that_of_the_first_release_that_knows_the_gpu() -> None:
    (inferred,) = (
        fact
        for fact in ask("ml.p6-b200.48xlarge", "12.9").facts
        if fact.text.startswith("sm_100 needs driver 570")
    )
    assert not inferred.verified


@pytest.mark.parametrize("use", ["training", "processing"])
def test_jobs_whose_host_driver_is_not_published_work_with_that_note(use: Use) -> None:
    answer = ask("ml.p2.xlarge", "11.8", use)
    assert answer.verdict is Verdict.CONDITIONAL
    assert ami_of(answer, "ml.p2.xlarge") == ""
    assert answer.conditions == (
        f"the host driver of {use} jobs on ml.p2 is not published; CUDA 11.8 needs 450.80.02",
    )


def test_training_on_a_gpu_that_the_cuda_release_dropped_is_impossible_all_the_same() -> None:
    assert ask("ml.p2.xlarge", "12.9", "training").verdict is Verdict.IMPOSSIBLE


def test_batch_transform_has_ami_versions_of_its_own() -> None:
    answer = ask("ml.g5.xlarge", "12.9", "transform")
    assert ami_of(answer, "ml.g5.xlarge") == "al2-ami-sagemaker-batch-gpu-535"
    assert answer.conditions[0].startswith("TransformAmiVersion ")


def test_an_older_driver_runs_a_newer_cuda_with_the_package_of_forward_compatibility() -> None:
    # nvidia/cuda, dist/13.0.x/*/base/Dockerfile: NVIDIA_REQUIRE_CUDA "... brand=tesla,
    # driver>=535,driver<536 ..."; no AMI of batch transform has a newer driver than 535
    answer = ask("ml.g5.xlarge", "13.0", "transform")
    assert answer.verdict is Verdict.CONDITIONAL
    assert answer.choice is not None
    assert answer.choice.packages == ("cuda-compat-13-0",)
    assert any("cuda-compat-13-0 in the image" in text for text in answer.conditions)


def test_forward_compatibility_is_no_way_out_where_the_code_is_missing() -> None:
    assert ask("ml.p2.xlarge", "12.9", "transform").verdict is Verdict.IMPOSSIBLE


def test_a_type_that_is_not_offered_for_the_use_is_impossible() -> None:
    answer = ask("ml.m7i-flex.large", "", "hosting")
    assert answer.reason == "ml.m7i-flex.large is not offered for hosting"


def test_arm64_images_run_on_arm64_only() -> None:
    assert ask("ml.c7g.large", "", cpu_arch="arm64").verdict is Verdict.WORKS
    assert ask("ml.m5.large", "", cpu_arch="arm64").verdict is Verdict.IMPOSSIBLE


def test_a_patch_release_is_judged_as_its_minor_release() -> None:
    patch, minor = ask("ml.g4dn.xlarge", "12.9.1"), ask("ml.g4dn.xlarge", "12.9")
    assert (patch.verdict, patch.conditions) == (minor.verdict, minor.conditions)


def test_every_answer_has_what_it_needs() -> None:
    for name in instance_types():
        for use in USES:
            for cuda in ("", "9.0", "10.2", "11.0", "11.8", "12.0", "12.9", "13.0", "13.5"):
                answer = ask(name, cuda, use)
                assert bool(answer.missing) == (answer.verdict is Verdict.UNKNOWN)
                assert bool(answer.conflict) == (answer.verdict is Verdict.IMPOSSIBLE)
                assert (answer.verdict is Verdict.WORKS) <= (not answer.conditions)
                assert all(fact.sources for fact in answer.conflict)
