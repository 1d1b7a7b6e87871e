from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from twinforge.compat.pose import pose
from twinforge.compat.question import Answer, Question, Wanted
from twinforge.compat.resolve import conflict_labels, resolve
from twinforge.compat.verdict import Verdict

FINE = {Verdict.WORKS, Verdict.CONDITIONAL}
TODAY = date(2026, 11, 24)


def wanted(text: str) -> Wanted:
    name, _, specifier = text.partition(" ")
    return Wanted(name, specifier)


QUESTIONS = st.builds(
    Question,
    frameworks=st.lists(
        st.sampled_from(
            [
                "torch ==2.6",
                "torch >=2.8",
                "torch ==1.13.1",
                "tensorflow ==2.20",
                "tensorflow ==2.10",
                "tensorflow ",
                "onnxruntime-gpu ==1.20.*",
                "xgboost ==3.0.5",
                "jax >=0.6",
            ]
        ).map(wanted),
        max_size=2,
        unique_by=lambda one: one.name,
    ).map(tuple),
    cuda=st.sampled_from(["", "10.2", "11.8", "12.4", "12.9", "13.0"]),
    cudnn=st.sampled_from(["", "", "7.6", "8.7", "9.1", "9.17"]),
    python=st.sampled_from(["", "3.6", "3.10", "3.13"]),
    base=st.sampled_from(
        ["", "", "ubuntu:18.04", "debian-12", "nvidia/cuda:12.4.1-base-ubuntu22.04"]
    ),
    cpu_arch=st.sampled_from(["", "", "amd64", "arm64"]),
    instances=st.lists(
        st.sampled_from(["ml.m4.xlarge", "ml.p2.xlarge", "ml.p3.2xlarge", "ml.g5.xlarge"]),
        max_size=2,
        unique=True,
    ).map(tuple),
    use=st.sampled_from(["hosting", "training", "transform"]),
    today=st.just(TODAY),
)
UNHEARD = st.sampled_from(
    [
        {"cuda": "99.1"},
        {"cudnn": "99.1"},
        {"python": "3.99"},
        {"base": "alpine:3.20"},
        {"base": "nvidia/cuda:99.1.0-base-ubuntu22.04"},
        {"instances": ("ml.zz9.xlarge",)},
        {"frameworks": (Wanted("paddlepaddle", "==3.0"),)},
        {"frameworks": (Wanted("torch", "==99.0"),)},
    ]
)


@settings(max_examples=40, deadline=None)
@given(QUESTIONS)
def test_without_any_fact_and_without_any_wish_of_a_conflict_there_is_a_combination(
    question: Question,
) -> None:
    posed = pose(question)
    assume(posed.network.first(posed.network.labels) is None)
    labels = frozenset(conflict_labels(posed))
    assert posed.network.first(labels) is None
    for label in labels:
        assert posed.network.first(labels - {label}) is not None, label


@settings(max_examples=40, deadline=None)
@given(QUESTIONS)
def test_an_answer_says_what_its_verdict_needs(question: Question) -> None:
    answer = resolve(question, changes=0)
    assert bool(answer.conflict or answer.asked) == (answer.verdict is Verdict.IMPOSSIBLE)
    assert bool(answer.missing) == (answer.verdict is Verdict.UNKNOWN)
    assert all(fact.sources for fact in answer.conflict)
    assert (answer.choice is None) == (answer.verdict is Verdict.IMPOSSIBLE)
    if answer.verdict is Verdict.WORKS:
        assert not answer.conditions


@settings(max_examples=40, deadline=None)
@given(QUESTIONS)
def test_the_combination_that_is_named_is_as_good_when_it_is_asked_for(question: Question) -> None:
    answer = resolve(question, changes=0)
    assume(answer.verdict in FINE)
    choice = answer.choice
    assert choice is not None
    pinned = replace(
        question,
        frameworks=tuple(
            Wanted(pin.package, f"=={pin.version}", exact=True) for pin in choice.frameworks
        ),
        cuda=choice.cuda,
        cudnn=choice.cudnn,
        python=choice.python,
        cpu_arch=choice.cpu_arch,
    )
    assert resolve(pinned, changes=0).verdict is answer.verdict


@settings(max_examples=40, deadline=None)
@given(QUESTIONS)
def test_what_would_work_does_work_when_it_is_asked(question: Question) -> None:
    answer = resolve(question)
    assert bool(answer.nearest) <= (answer.verdict not in FINE)
    for change in answer.nearest:
        again = resolve(change.question, changes=0)
        assert again.verdict in FINE
        assert again.verdict.rank <= change.verdict.rank
        assert change.texts


@settings(max_examples=40, deadline=None)
@given(QUESTIONS, UNHEARD)
def test_what_there_is_no_data_on_never_works(question: Question, unheard: dict[str, str]) -> None:
    answer = resolve(replace(question, **unheard), changes=0)  # type: ignore[arg-type]  # by name
    assert answer.verdict in {Verdict.UNKNOWN, Verdict.IMPOSSIBLE}
    assert any("no data on" in text for text in answer.missing) or answer.conflict


def ask(**asked: object) -> Answer:
    frameworks = tuple(wanted(text) for text in asked.pop("frameworks", ()))  # type: ignore[attr-defined]  # texts
    return resolve(Question(frameworks=frameworks, **asked))  # type: ignore[arg-type]  # by name


def test_cuda_12_on_a_k80_names_both_facts_the_wishes_and_the_newest_cuda_that_runs() -> None:
    answer = ask(cuda="12.4", instances=("ml.p2.xlarge",))
    assert answer.verdict is Verdict.IMPOSSIBLE
    assert [fact.text for fact in answer.conflict] == [
        "p2 has the NVIDIA Tesla K80, of compute capability 3.7",
        "CUDA 12.4 knows compute capabilities 5.0 to 9.0; CUDA 12.0 dropped the older ones",
    ]
    assert [one.text for one in answer.asked] == ["ml.p2.xlarge", "CUDA 12.4"]
    assert answer.nearest[0].texts == ("CUDA 11.8 instead of 12.4",)


def test_a_framework_on_a_k80_gets_the_newest_cuda_framework_and_python_that_run() -> None:
    answer = ask(frameworks=["torch ==2.6"], cuda="12.4", instances=("ml.p2.xlarge",))
    best = answer.nearest[0]
    # pytorch/builder, build_cuda.sh: cu118 has sm_37; torch 2.4 and later bring cuDNN 9, without it
    assert best.texts == ("CUDA 11.8 instead of 12.4", "torch==2.3.1+cu118 instead of torch==2.6")
    assert (best.choice.cuda, best.choice.cudnn, best.choice.python) == ("11.8", "8.7.0.84", "3.12")


def test_several_builds_are_one_fact() -> None:
    answer = ask(frameworks=["tensorflow >=2.16"], instances=("ml.p2.xlarge",))
    assert [fact.text for fact in answer.conflict] == [
        "p2 has the NVIDIA Tesla K80, of compute capability 3.7",
        "tensorflow 2.16.1 to 2.21.0 hold code for compute capabilities 5.0 to 9.0",
    ]


def test_one_image_for_a_type_with_and_one_without_a_gpu_is_impossible() -> None:
    answer = ask(instances=("ml.m4.xlarge", "ml.p2.xlarge"))
    assert [fact.text for fact in answer.conflict] == [
        "ml.m4.xlarge has no NVIDIA GPU",
        "p2 has the NVIDIA Tesla K80, of compute capability 3.7",
    ]


def test_a_gpu_build_does_not_run_where_there_is_no_gpu() -> None:
    answer = ask(frameworks=["onnxruntime-gpu "], instances=("ml.m4.xlarge",))
    assert [fact.text for fact in answer.conflict] == ["ml.m4.xlarge has no NVIDIA GPU"]
    assert (
        resolve(Question(frameworks=(Wanted("onnxruntime"),), instances=("ml.m4.xlarge",))).verdict
        is Verdict.WORKS
    )


def test_code_that_a_wheel_lacks_is_compiled_from_its_ptx_on_condition() -> None:
    # tensorflow 2.20.0 holds code up to sm_90 and PTX of 9.0; B200 is sm_100
    answer = ask(frameworks=["tensorflow ==2.20"], instances=("ml.p6-b200.48xlarge",))
    assert answer.verdict is Verdict.CONDITIONAL
    assert any("PTX of 9.0" in text for text in answer.conditions)


def test_an_ami_that_is_asked_for_is_the_one_that_counts() -> None:
    old, new = "al2-ami-sagemaker-inference-gpu-2", "al2023-ami-sagemaker-inference-gpu-4-1"
    asked = Question(cuda="13.0", instances=("ml.g5.xlarge",))
    assert resolve(replace(asked, ami=new)).verdict is Verdict.CONDITIONAL
    with_old = resolve(replace(asked, ami=old))
    assert with_old.choice is not None
    assert with_old.choice.packages == ("cuda-compat-13-0",)
    unknown = resolve(replace(asked, ami="al2-ami-sagemaker-inference-gpu-9"))
    assert unknown.verdict is Verdict.UNKNOWN


def test_a_tag_that_was_removed_is_impossible_and_one_that_is_listed_no_more_is_unknown() -> None:
    # NVIDIA/nvidia-docker#1768: all of 10.x can't be pulled any more
    removed = ask(base="nvidia/cuda:10.2-base-ubuntu18.04")
    assert removed.verdict is Verdict.IMPOSSIBLE
    assert [fact.text for fact in removed.conflict] == ["nvidia/cuda:10.2 was removed"]
    gone = ask(base="nvidia/cuda:9.0-base-ubuntu16.04")
    assert gone.verdict is Verdict.UNKNOWN
    assert "none of NVIDIA's lists any more" in gone.missing[0]


def test_a_base_past_its_end_of_life_works_on_that_condition() -> None:
    # endoflife of Ubuntu 18.04: 2023-05-31 (distro-info-data)
    asked = Question(frameworks=(Wanted("tensorflow", "==2.10"),), base="ubuntu:18.04")
    assert resolve(asked).verdict is Verdict.WORKS
    later = resolve(replace(asked, today=TODAY))
    assert later.verdict is Verdict.CONDITIONAL
    assert "2023-05-31" in later.conditions[0]


def test_a_base_with_cuda_is_for_that_cuda_only() -> None:
    answer = ask(base="nvidia/cuda:12.4.1-base-ubuntu22.04", cuda="12.6")
    assert answer.reason == "nvidia/cuda:12.4.1-base-ubuntu22.04 holds CUDA 12.4.1"
    texts = [change.texts for change in answer.nearest]
    assert ("CUDA 12.4 instead of 12.6",) in texts
    assert any("nvidia/cuda:12.6.3-base-ubuntu22.04" in text for (text,) in texts)


def test_an_image_that_does_not_start_on_the_default_driver_needs_an_ami() -> None:
    # nvidia/cuda 12.9.1, NVIDIA_REQUIRE_CUDA: "cuda>=12.9 ... driver>=535,driver<536 ...": no 470
    base = "nvidia/cuda:12.9.1-base-ubuntu22.04"
    answer = ask(base=base, instances=("ml.g4dn.xlarge",))
    assert answer.verdict is Verdict.CONDITIONAL
    assert answer.choice is not None
    assert answer.choice.amis == {"ml.g4dn.xlarge": "al2-ami-sagemaker-inference-gpu-2"}


def test_two_frameworks_have_to_agree_on_python_and_cuda() -> None:
    answer = ask(frameworks=["torch ==2.6", "tensorflow ==2.13"], cuda="12.4")
    assert answer.reason == "tensorflow 2.13.0 was built for CUDA 11.8"
    together = ask(frameworks=["torch ==2.6", "tensorflow ==2.13"], cuda="11.8")
    assert together.verdict is Verdict.IMPOSSIBLE
    assert {fact.text.split()[0] for fact in together.conflict} == {"torch", "tensorflow"}


@pytest.mark.parametrize("name", ["pytorch", "torch"])
def test_a_framework_goes_by_what_people_call_it(name: str) -> None:
    answer = resolve(Question(frameworks=(Wanted(name, "==2.6"),), cuda="12.4"))
    assert answer.choice is not None
    assert str(answer.choice.frameworks[0]).startswith("torch==2.6.0")


def test_a_package_that_is_named_exactly_is_that_one() -> None:
    loose = resolve(Question(frameworks=(Wanted("xgboost", "==3.4.1"),), cuda="12.9"))
    exact = resolve(Question(frameworks=(Wanted("xgboost", "==3.4.1", exact=True),), cuda="12.9"))
    # from 3.4.0 on `xgboost` is built for CUDA 13, and xgboost-cu12 for 12
    assert loose.verdict is Verdict.WORKS
    assert exact.verdict is Verdict.IMPOSSIBLE


def test_a_framework_without_builds_with_cuda_is_told_with_where_it_runs() -> None:
    answer = ask(frameworks=["lightgbm"], instances=("ml.g5.xlarge",))
    assert answer.verdict is Verdict.IMPOSSIBLE
    assert [one.text for one in answer.asked] == ["lightgbm", "ml.g5.xlarge"]
    assert [fact.text for fact in answer.conflict] == [
        "lightgbm 3.0.0 to 4.7.0 are builds for the CPU",
        "g5 has the NVIDIA A10G, of compute capability 8.6",
    ]
    assert answer.nearest[0].texts[0].endswith(".xlarge instead of ml.g5.xlarge")
    asked = ask(frameworks=["lightgbm"], instances=("ml.g5.xlarge",), device="cuda")
    assert asked.nearest == ()


def test_an_unknown_answer_leaves_as_little_unknown_as_can_be() -> None:
    # the newest torch for the CPU is for Python 3.15 as far as nobody knows; that is no news
    answer = ask(frameworks=["torch ==2.11.0+cpu"], cpu_arch="arm64")
    assert answer.missing == ("whether there is a wheel of torch==2.11.0+cpu for arm64",)


def test_an_extra_that_brings_the_newest_cudnn_has_to_be_bound_for_a_v100() -> None:
    # metadata of tensorflow 2.20.0: "nvidia-cudnn-cu12>=9.3.0.75,<10.0; extra == 'and-cuda'", and of
    # 2.19.1: "nvidia-cudnn-cu12==9.3.0.75"; cuDNN 9.11 dropped sm_70
    pin = (
        "pin nvidia-cudnn-cu12<=9.10.2.21: tensorflow[and-cuda]==2.20.0 brings the newest, which "
        "holds no code for sm_70"
    )
    open_ = ask(frameworks=["tensorflow[and-cuda] ==2.20.0"], instances=("ml.p3.2xlarge",))
    assert open_.verdict is Verdict.CONDITIONAL
    assert pin in open_.conditions
    pinned = ask(
        frameworks=["tensorflow[and-cuda] ==2.20.0"], cudnn="9.10", instances=("ml.p3.2xlarge",)
    )
    assert pin not in pinned.conditions
    exact = ask(frameworks=["tensorflow[and-cuda] ==2.19.1"], instances=("ml.p3.2xlarge",))
    assert not any(one.startswith("pin ") for one in exact.conditions)
    newer = ask(frameworks=["tensorflow[and-cuda] ==2.20.0"], instances=("ml.g5.xlarge",))
    assert not any(one.startswith("pin ") for one in newer.conditions)


def test_the_cudnn_of_a_base_is_the_image_s_where_nothing_brings_its_own() -> None:
    # nvidia/container-images/cuda, dist/11.8.0/ubuntu2204/runtime/cudnn8/Dockerfile:
    # "ENV NV_CUDNN_VERSION 8.9.6.50"; cuDNN 8.8 dropped Kepler
    base = "nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04"
    kepler = ask(frameworks=["tensorflow ==2.12.0"], base=base, instances=("ml.p2.xlarge",))
    assert kepler.verdict is Verdict.IMPOSSIBLE
    texts = [fact.text for fact in kepler.conflict]
    assert f"{base} holds cuDNN 8.9.6.50" in texts
    assert any("of compute capability 3.7" in text for text in texts)
    other = ask(frameworks=["tensorflow ==2.12.0"], base=base, cudnn="8.7", cuda="11.8")
    assert other.verdict is Verdict.IMPOSSIBLE
    newer = ask(frameworks=["tensorflow ==2.12.0"], base=base, instances=("ml.g5.xlarge",))
    assert newer.verdict is Verdict.WORKS
    assert newer.choice is not None
    assert newer.choice.cudnn == "8.9.6.50"
    # torch brings its own, and so does a wheel
    torch = ask(frameworks=["torch ==2.3.1+cu118"], base=base, instances=("ml.p2.xlarge",))
    assert torch.verdict is Verdict.WORKS
    wheel = ask(
        frameworks=["tensorflow ==2.12.0"],
        base=base,
        cudnn="8.7",
        instances=("ml.p2.xlarge",),
        has_own_cudnn=True,
    )
    assert wheel.verdict is Verdict.WORKS


def test_a_package_that_is_named_without_an_extra_has_none() -> None:
    plain = Wanted("tensorflow", "==2.18.0", exact=True)
    answer = resolve(Question(frameworks=(plain,), device="cuda"), changes=0)
    assert answer.choice is not None
    assert [pin.package for pin in answer.choice.frameworks] == ["tensorflow"]
