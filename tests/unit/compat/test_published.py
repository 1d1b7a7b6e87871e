"""What the tables that others publish say works, against the resolver's verdicts."""

from __future__ import annotations

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
"""

# onnxruntime.ai, CUDA Execution Provider, "Requirements": | ONNX Runtime | CUDA | cuDNN (Linux) |,
# for what the default index has (up to 1.18 CUDA 11, from 1.19 on CUDA 12); where the table names a
# series (12.x, 9.x, 8.x), a version of it
ONNXRUNTIME = """
| 1.20.0 | 12.4 | 9.1 |
| 1.19.2 | 12.4 | 9.1 |
| 1.18.1 | 11.8 | 8.9 |
| 1.17.1 | 11.8 | 8.9 |
| 1.16.3 | 11.8 | 8.9 |
| 1.15.1 | 11.8 | 8.9 |
| 1.14.1 | 11.6 | 8.2.4 |
| 1.13.1 | 11.6 | 8.2.4 |
| 1.12.1 | 11.4 | 8.2.4 |
| 1.11.1 | 11.4 | 8.2.4 |
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
    other_cuda = {"10": "11.2", "11": "12.3", "12": "11.8"}[cuda.partition(".")[0]]
    other_cudnn = {"7": "8.6", "8": "9.3", "9": "8.9"}[cudnn.partition(".")[0]]
    assert verdict(name, cuda=other_cuda) is Verdict.IMPOSSIBLE
    assert verdict(name, cudnn=other_cudnn) is Verdict.IMPOSSIBLE


@pytest.mark.parametrize("row", rows(ONNXRUNTIME), ids=lambda row: row[0])
def test_each_row_of_onnx_runtime_s_table_works(row: tuple[str, ...]) -> None:
    version, cuda, cudnn = row
    assert verdict(f"onnxruntime-gpu-{version}", cuda=cuda, cudnn=cudnn) is Verdict.WORKS


@pytest.mark.parametrize("row", rows(ONNXRUNTIME), ids=lambda row: row[0])
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
