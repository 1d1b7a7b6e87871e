"""What the tables that others publish say works, against the resolver's verdicts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from twinforge.compat.question import Question, Wanted
from twinforge.compat.resolve import resolve
from twinforge.compat.verdict import Verdict

# github.com/tensorflow/docs, site/en/install/source.md, "Tested build configurations", Linux, GPU,
# without compiler and build tools: | Version | Python version | cuDNN | CUDA |
TENSORFLOW = """
| tensorflow-2.20.0 | 3.9-3.13 | 9.3 | 12.5 |
| tensorflow-2.19.0 | 3.9-3.12 | 9.3 | 12.5 |
| tensorflow-2.18.0 | 3.9-3.12 | 9.3 | 12.5 |
| tensorflow-2.17.0 | 3.9-3.12 | 8.9 | 12.3 |
| tensorflow-2.16.1 | 3.9-3.12 | 8.9 | 12.3 |
| tensorflow-2.15.0 | 3.9-3.11 | 8.9 | 12.2 |
| tensorflow-2.14.0 | 3.9-3.11 | 8.7 | 11.8 |
| tensorflow-2.13.0 | 3.8-3.11 | 8.6 | 11.8 |
| tensorflow-2.12.0 | 3.8-3.11 | 8.6 | 11.8 |
| tensorflow-2.11.0 | 3.7-3.10 | 8.1 | 11.2 |
| tensorflow-2.10.0 | 3.7-3.10 | 8.1 | 11.2 |
| tensorflow-2.9.0 | 3.7-3.10 | 8.1 | 11.2 |
| tensorflow-2.8.0 | 3.7-3.10 | 8.1 | 11.2 |
| tensorflow-2.7.0 | 3.7-3.9 | 8.1 | 11.2 |
| tensorflow-2.6.0 | 3.6-3.9 | 8.1 | 11.2 |
| tensorflow-2.5.0 | 3.6-3.9 | 8.1 | 11.2 |
| tensorflow-2.4.0 | 3.6-3.8 | 8.0 | 11.0 |
| tensorflow-2.3.0 | 3.5-3.8 | 7.6 | 10.1 |
| tensorflow-2.2.0 | 3.5-3.8 | 7.6 | 10.1 |
| tensorflow-2.1.0 | 3.5-3.7 | 7.6 | 10.1 |
| tensorflow-gpu-2.0.0 | 3.5-3.7 | 7.4 | 10.0 |
| tensorflow-gpu-1.15.2 | 3.5-3.7 | 7.4 | 10.0 |
| tensorflow-gpu-1.14.0 | 3.5-3.7 | 7.4 | 10.0 |
| tensorflow-gpu-1.13.1 | 3.5-3.7 | 7.4 | 10.0 |
| tensorflow-gpu-1.12.0 | 3.5-3.6 | 7 | 9 |
| tensorflow-gpu-1.11.0 | 3.5-3.6 | 7 | 9 |
| tensorflow-gpu-1.10.0 | 3.5-3.6 | 7 | 9 |
| tensorflow-gpu-1.9.0 | 3.5-3.6 | 7 | 9 |
| tensorflow-gpu-1.8.0 | 3.5-3.6 | 7 | 9 |
| tensorflow-gpu-1.7.0 | 3.5-3.6 | 7 | 9 |
| tensorflow-gpu-1.6.0 | 3.5-3.6 | 7 | 9 |
| tensorflow-gpu-1.5.0 | 3.5-3.6 | 7 | 9 |
| tensorflow-gpu-1.4.0 | 3.5-3.6 | 6 | 8 |
| tensorflow-gpu-1.3.0 | 3.5-3.6 | 6 | 8 |
| tensorflow-gpu-1.2.0 | 3.5-3.6 | 5.1 | 8 |
| tensorflow-gpu-1.1.0 | 3.5-3.6 | 5.1 | 8 |
| tensorflow-gpu-1.0.0 | 3.5-3.6 | 5.1 | 8 |
"""

# onnxruntime.ai, CUDA Execution Provider, "Requirements": | ONNX Runtime | CUDA | cuDNN (Linux) |,
# the three tables (CUDA 12.x, 11.x, 10.x) whole, a release for each series; where they name a series
# of CUDA or cuDNN (12.x, 9.x, 8.x), a version of it
ONNXRUNTIME = """
| 1.20.0 | 12.4 | 9.1 |
| 1.19.2 | 12.4 | 9.1 |
| 1.18.1 | 12.4 | 9.1 |
| 1.18.0 | 12.4 | 8.9 |
| 1.17.1 | 12.4 | 8.9 |
| 1.20.0 | 11.8 | 8.9 |
| 1.19.2 | 11.8 | 8.9 |
| 1.18.1 | 11.8 | 8.9 |
| 1.17.1 | 11.8 | 8.9 |
| 1.16.3 | 11.8 | 8.9 |
| 1.15.1 | 11.8 | 8.9 |
| 1.14.1 | 11.6 | 8.2.4 |
| 1.13.1 | 11.6 | 8.2.4 |
| 1.12.1 | 11.4 | 8.2.4 |
| 1.11.1 | 11.4 | 8.2.4 |
"""

# the same, for what the default index has no wheel of any more; "1.5-1.6" and the like spelled out
ONNXRUNTIME_GONE = """
| 1.10.0 | 11.4 | 8.2.4 |
| 1.9.0 | 11.4 | 8.2.4 |
| 1.8.0 | 11.0.3 | 8.0.4 |
| 1.7.0 | 11.0.3 | 8.0.4 |
| 1.6.0 | 10.2 | 8.0.3 |
| 1.5.1 | 10.2 | 8.0.3 |
| 1.4.0 | 10.1 | 7.6.5 |
| 1.3.0 | 10.1 | 7.6.5 |
| 1.2.0 | 10.1 | 7.6.5 |
| 1.1.0 | 10.0 | 7.6.4 |
| 1.0.0 | 10.0 | 7.6.4 |
"""

# pytorch/pytorch, RELEASE.md, "Release Compatibility Matrix":
# | PyTorch | Python | stable CUDA | experimental CUDA |
TORCH = [
    ("2.6.0", "3.9", "3.13", "11.8"),
    ("2.6.0", "3.9", "3.13", "12.4"),
    ("2.6.0", "3.9", "3.13", "12.6"),
    ("2.5.1", "3.9", "3.12", "11.8"),
    ("2.5.1", "3.9", "3.12", "12.1"),
    ("2.5.1", "3.9", "3.12", "12.4"),
    ("2.4.1", "3.8", "3.12", "11.8"),
    ("2.4.1", "3.8", "3.12", "12.1"),
    ("2.3.1", "3.8", "3.12", "11.8"),
    ("2.3.1", "3.8", "3.12", "12.1"),
    ("2.2.2", "3.8", "3.11", "12.1"),
    ("2.1.2", "3.8", "3.11", "12.1"),
    ("2.0.1", "3.8", "3.11", "11.7"),
    ("2.0.1", "3.8", "3.11", "11.8"),
    ("1.13.1", "3.7", "3.10", "11.7"),
]


def rows(table: str) -> list[tuple[str, ...]]:
    lines = (line.strip("|") for line in table.strip().splitlines())
    return [tuple(cell.strip() for cell in line.split("|")) for line in lines]


def pythons(span: str) -> list[str]:
    first, last = (int(end.removeprefix("3.")) for end in span.split("-"))
    return [f"3.{minor}" for minor in range(first, last + 1)]


def verdict(name: str, **asked: str) -> Verdict:
    framework, _, version = name.rpartition("-")
    wanted = Wanted(framework, f"=={version}")
    question = Question(frameworks=(wanted,), device="cuda", **asked)  # type: ignore[arg-type]  # all are text
    return resolve(question, changes=0).verdict


@pytest.mark.parametrize("row", rows(TENSORFLOW), ids=lambda row: row[0])
def test_each_row_of_tensorflow_s_tested_builds_works(row: tuple[str, ...]) -> None:
    name, span, cudnn, cuda = row
    for python in pythons(span):
        assert verdict(name, cuda=cuda, cudnn=cudnn, python=python) is Verdict.WORKS, python


@pytest.mark.parametrize("row", rows(TENSORFLOW), ids=lambda row: row[0])
def test_tensorflow_with_another_major_of_cuda_or_cudnn_is_impossible(row: tuple[str, ...]) -> None:
    name, _, cudnn, cuda = row
    # what nobody asks about is found too: cuDNN 5.1 and 6 are in no table but this one
    assert verdict(name, cuda=cuda) is Verdict.WORKS
    other_cuda = {"8": "9.0", "9": "10.0", "10": "11.2", "11": "12.3", "12": "11.8"}[
        cuda.partition(".")[0]
    ]
    other_cudnn = {"5": "7.6", "6": "7.6", "7": "8.6", "8": "9.3", "9": "8.9"}[
        cudnn.partition(".")[0]
    ]
    assert verdict(name, cuda=other_cuda) is Verdict.IMPOSSIBLE
    assert verdict(name, cudnn=other_cudnn) is Verdict.IMPOSSIBLE


@pytest.mark.parametrize("row", rows(ONNXRUNTIME), ids=lambda row: f"{row[0]}-{row[1]}")
def test_each_row_of_onnx_runtime_s_table_works(row: tuple[str, ...]) -> None:
    version, cuda, cudnn = row
    assert verdict(f"onnxruntime-gpu-{version}", cuda=cuda, cudnn=cudnn) is Verdict.WORKS


@pytest.mark.parametrize("row", rows(ONNXRUNTIME_GONE), ids=lambda row: row[0])
def test_a_row_whose_wheel_is_gone_works_on_the_condition_that_one_is_brought(
    row: tuple[str, ...],
) -> None:
    version, cuda, cudnn = row
    wanted = Wanted("onnxruntime-gpu", f"=={version}")
    asked = Question(frameworks=(wanted,), cuda=cuda, cudnn=cudnn, python="3.6", device="cuda")
    answer = resolve(asked, changes=0)
    assert answer.verdict is Verdict.CONDITIONAL
    assert answer.conditions == (
        f"the index has no wheel of onnxruntime-gpu=={version}: bring one for Python 3.6 of your own",
    )
    newer = replace(asked, python="3.13")
    assert resolve(newer, changes=0).verdict is Verdict.IMPOSSIBLE
    other = {"10": "11.8", "11": "12.4"}[cuda.partition(".")[0]]
    assert verdict(f"onnxruntime-gpu-{version}", cuda=other) is Verdict.IMPOSSIBLE


@pytest.mark.parametrize("row", rows(ONNXRUNTIME), ids=lambda row: f"{row[0]}-{row[1]}")
def test_onnx_runtime_built_with_cudnn_8_is_not_compatible_with_9_and_vice_versa(
    row: tuple[str, ...],
) -> None:
    # "ONNX Runtime built with cuDNN 8.x is not compatible with cuDNN 9.x, and vice versa."
    version, cuda, cudnn = row
    other = "9.1" if cudnn.startswith("8") else "8.9"
    name = f"onnxruntime-gpu-{version}"
    assert verdict(name, cuda=cuda, cudnn=other) is Verdict.IMPOSSIBLE


@pytest.mark.parametrize(("version", "first", "last", "cuda"), TORCH)
def test_each_row_of_pytorch_s_matrix_works(version: str, first: str, last: str, cuda: str) -> None:
    for python in (first, last):
        assert verdict(f"torch-{version}", cuda=cuda, python=python) is Verdict.WORKS, python


# docs.nvidia.com, CUDA Toolkit release notes, table "CUDA Toolkit and Minimum Required Driver Version
# for CUDA Minor Version Compatibility": "CUDA 12.x >=525.60.13", "CUDA 11.8.x >=450.80.02", and
# "CUDA Toolkit and Corresponding Driver Versions": "CUDA 10.2.89 >= 440.33"
# docs.aws.amazon.com/sagemaker, inference-gpu-drivers: driver 470 is that of ml.p2,
# ml.p3, ml.g4dn and ml.g5, driver 535 that of ml.g6 and ml.p5
@pytest.mark.parametrize(
    ("cuda", "instance", "expected"),
    [
        ("8.0", "ml.p2.xlarge", Verdict.WORKS),
        ("8.0", "ml.p3.2xlarge", Verdict.UNKNOWN),
        ("10.2", "ml.g4dn.xlarge", Verdict.WORKS),
        ("11.8", "ml.g4dn.xlarge", Verdict.WORKS),
        ("12.0", "ml.g4dn.xlarge", Verdict.CONDITIONAL),
        ("12.9", "ml.g4dn.xlarge", Verdict.CONDITIONAL),
        ("13.0", "ml.g4dn.xlarge", Verdict.CONDITIONAL),
        ("12.9", "ml.g6.xlarge", Verdict.WORKS),
        ("11.8", "ml.p2.xlarge", Verdict.WORKS),
        ("11.8", "ml.p3.2xlarge", Verdict.WORKS),
        # K80 is sm_37, which CUDA 12.0 dropped; V100 is sm_70, which CUDA 13.0 dropped
        ("12.0", "ml.p2.xlarge", Verdict.IMPOSSIBLE),
        ("12.4", "ml.p2.xlarge", Verdict.IMPOSSIBLE),
        ("13.0", "ml.p3.2xlarge", Verdict.IMPOSSIBLE),
    ],
)
def test_nvidia_s_driver_table_on_sagemaker_s_hosts(
    cuda: str, instance: str, expected: Verdict
) -> None:
    question = Question(cuda=cuda, instances=(instance,))
    assert resolve(question, changes=0).verdict is expected


# cuDNN support matrix 9.17.0: compute capabilities 7.5 to 12.0; 9.10.2: 5.0 to 12.0. Release notes of
# 8.8.0: "support for Kepler has been dropped"; the wheels of 8.7.0.84 hold sm_35 code.
@pytest.mark.parametrize(
    ("cudnn", "cuda", "instance", "expected"),
    [
        ("9.17", "12.6", "ml.p3.2xlarge", Verdict.IMPOSSIBLE),
        ("9.10.2", "12.6", "ml.p3.2xlarge", Verdict.CONDITIONAL),
        ("8.7", "11.8", "ml.p2.xlarge", Verdict.WORKS),
        ("8.8", "11.8", "ml.p2.xlarge", Verdict.IMPOSSIBLE),
    ],
)
def test_cudnn_s_own_code_has_to_run_on_the_gpu(
    cudnn: str, cuda: str, instance: str, expected: Verdict
) -> None:
    question = Question(cuda=cuda, cudnn=cudnn, instances=(instance,))
    assert resolve(question, changes=0).verdict is expected


# PEP 600: a wheel tagged manylinux_2_28 needs glibc 2.28; PyTorch's are from 2.7 on. Ubuntu 18.04 has
# glibc 2.27, 20.04 has 2.31 (pep600_compliance, README).
@pytest.mark.parametrize(
    ("base", "expected"), [("ubuntu:18.04", Verdict.IMPOSSIBLE), ("ubuntu:20.04", Verdict.WORKS)]
)
def test_a_wheel_needs_the_glibc_of_its_tag(base: str, expected: Verdict) -> None:
    assert verdict("torch-2.7.0", base=base) is expected


def test_the_oldest_cuda_of_tensorflow_2_20_is_its_own() -> None:
    # built for 12.5: newer libraries of the major are compatible, older ones nobody promises
    assert verdict("tensorflow-2.20.0", cuda="12.9") is Verdict.WORKS
    plain = Question(
        frameworks=(Wanted("tensorflow", "==2.13", exact=True),), cuda="11.4", device="cuda"
    )
    assert resolve(plain, changes=0).verdict is Verdict.UNKNOWN


def asked(name: str, **what: str) -> Verdict:
    framework, _, version = name.rpartition("-")
    wanted = (Wanted(framework, f"=={version}"),)
    return resolve(Question(frameworks=wanted, **what), changes=0).verdict  # type: ignore[arg-type]  # all are text


# metadata of jax 0.4.25: "jaxlib ==0.4.25+cuda11.cudnn86 ; extra == 'cuda11_pip'",
# "nvidia-cuda-runtime-cu11 >=11.8 ; extra == 'cuda11_pip'"; from 0.4.26 on there is no such extra
@pytest.mark.parametrize(
    ("version", "expected"), [("0.4.25", Verdict.WORKS), ("0.4.26", Verdict.IMPOSSIBLE)]
)
def test_jax_up_to_0_4_25_had_builds_for_cuda_11(version: str, expected: Verdict) -> None:
    assert asked(f"jax-{version}", cuda="11.8", cudnn="8.9", python="3.10") is expected


# the default index, tags: torch-2.6.0-cp311-cp311-manylinux_2_28_aarch64.whl (no NVIDIA wheels
# asked for), torch-2.11.0-...aarch64.whl (asks for nvidia-cudnn-cu13)
@pytest.mark.parametrize(
    ("name", "device", "base", "expected"),
    [
        ("torch-2.6.0", "cpu", "debian:12", Verdict.WORKS),
        ("torch-2.6.0", "cpu", "ubuntu:18.04", Verdict.UNKNOWN),
        ("torch-2.11.0", "cpu", "debian:12", Verdict.UNKNOWN),
        ("jax-0.10.2", "cpu", "debian:12", Verdict.WORKS),
    ],
)
def test_wheels_for_graviton(name: str, device: str, base: str, expected: Verdict) -> None:
    found = asked(name, device=device, base=base, cpu_arch="arm64", python="3.11")
    assert found is expected


# onnxruntime.ai, CUDA Execution Provider: "ONNX Runtime built with CUDA 11.8 are compatible with any
# CUDA 11.x version; ONNX Runtime built with CUDA 12.x are compatible with any CUDA 12.x version."
@pytest.mark.parametrize(
    ("version", "cuda", "expected"),
    [
        ("1.18.1", "11.4", Verdict.WORKS),
        ("1.26.0", "12.4", Verdict.WORKS),
        ("1.26.0", "11.8", Verdict.IMPOSSIBLE),
        ("1.26.0", "13.0", Verdict.IMPOSSIBLE),
        ("1.4.0", "10.0", Verdict.IMPOSSIBLE),
    ],
)
def test_onnx_runtime_takes_any_minor_version_of_its_cuda(
    version: str, cuda: str, expected: Verdict
) -> None:
    wanted = Wanted("onnxruntime-gpu", f"=={version}", exact=True)
    asked_for = Question(frameworks=(wanted,), cuda=cuda, device="cuda")
    assert resolve(asked_for, changes=0).verdict is expected
