"""Rows of published tables, quoted as their publishers wrote them, against what the data answers."""

from __future__ import annotations

import re

import pytest

from twinforge.compat.cuda import cuda_releases, find_patch, find_release
from twinforge.compat.facts import Dotted
from twinforge.compat.frameworks import framework_builds

# https://www.tensorflow.org/install/source, Tested build configurations, Linux, GPU
TENSORFLOW = """
<tr><td>tensorflow-2.18.0</td><td>3.9-3.12</td><td>Clang 17.0.6</td><td>Bazel 6.5.0</td><td>9.3</td><td>12.5</td></tr>
<tr><td>tensorflow-2.17.0</td><td>3.9-3.12</td><td>Clang 17.0.6</td><td>Bazel 6.5.0</td><td>8.9</td><td>12.3</td></tr>
<tr><td>tensorflow-2.16.1</td><td>3.9-3.12</td><td>Clang 17.0.6</td><td>Bazel 6.5.0</td><td>8.9</td><td>12.3</td></tr>
<tr><td>tensorflow-2.15.0</td><td>3.9-3.11</td><td>Clang 16.0.0</td><td>Bazel 6.1.0</td><td>8.9</td><td>12.2</td></tr>
<tr><td>tensorflow-2.14.0</td><td>3.9-3.11</td><td>Clang 16.0.0</td><td>Bazel 6.1.0</td><td>8.7</td><td>11.8</td></tr>
<tr><td>tensorflow-2.13.0</td><td>3.8-3.11</td><td>Clang 16.0.0</td><td>Bazel 5.3.0</td><td>8.6</td><td>11.8</td></tr>
<tr><td>tensorflow-2.12.0</td><td>3.8-3.11</td><td>GCC 9.3.1</td><td>Bazel 5.3.0</td><td>8.6</td><td>11.8</td></tr>
<tr><td>tensorflow-2.11.0</td><td>3.7-3.10</td><td>GCC 9.3.1</td><td>Bazel 5.3.0</td><td>8.1</td><td>11.2</td></tr>
<tr><td>tensorflow-2.10.0</td><td>3.7-3.10</td><td>GCC 9.3.1</td><td>Bazel 5.1.1</td><td>8.1</td><td>11.2</td></tr>
<tr><td>tensorflow-2.9.0</td><td>3.7-3.10</td><td>GCC 9.3.1</td><td>Bazel 5.0.0</td><td>8.1</td><td>11.2</td></tr>
<tr><td>tensorflow-2.8.0</td><td>3.7-3.10</td><td>GCC 7.3.1</td><td>Bazel 4.2.1</td><td>8.1</td><td>11.2</td></tr>
<tr><td>tensorflow-2.7.0</td><td>3.7-3.9</td><td>GCC 7.3.1</td><td>Bazel 3.7.2</td><td>8.1</td><td>11.2</td></tr>
<tr><td>tensorflow-2.6.0</td><td>3.6-3.9</td><td>GCC 7.3.1</td><td>Bazel 3.7.2</td><td>8.1</td><td>11.2</td></tr>
<tr><td>tensorflow-2.5.0</td><td>3.6-3.9</td><td>GCC 7.3.1</td><td>Bazel 3.7.2</td><td>8.1</td><td>11.2</td></tr>
<tr><td>tensorflow-2.4.0</td><td>3.6-3.8</td><td>GCC 7.3.1</td><td>Bazel 3.1.0</td><td>8.0</td><td>11.0</td></tr>
<tr><td>tensorflow-2.3.0</td><td>3.5-3.8</td><td>GCC 7.3.1</td><td>Bazel 3.1.0</td><td>7.6</td><td>10.1</td></tr>
<tr><td>tensorflow-2.2.0</td><td>3.5-3.8</td><td>GCC 7.3.1</td><td>Bazel 2.0.0</td><td>7.6</td><td>10.1</td></tr>
<tr><td>tensorflow-2.1.0</td><td>2.7, 3.5-3.7</td><td>GCC 7.3.1</td><td>Bazel 0.27.1</td><td>7.6</td><td>10.1</td></tr>
<tr><td>tensorflow-2.0.0</td><td>2.7, 3.3-3.7</td><td>GCC 7.3.1</td><td>Bazel 0.26.1</td><td>7.4</td><td>10.0</td></tr>
<tr><td>tensorflow_gpu-1.15.0</td><td>2.7, 3.3-3.7</td><td>GCC 7.3.1</td><td>Bazel 0.26.1</td><td>7.4</td><td>10.0</td></tr>
<tr><td>tensorflow_gpu-1.14.0</td><td>2.7, 3.3-3.7</td><td>GCC 4.8</td><td>Bazel 0.24.1</td><td>7.4</td><td>10.0</td></tr>
<tr><td>tensorflow_gpu-1.13.1</td><td>2.7, 3.3-3.7</td><td>GCC 4.8</td><td>Bazel 0.19.2</td><td>7.4</td><td>10.0</td></tr>
<tr><td>tensorflow_gpu-1.12.0</td><td>2.7, 3.3-3.6</td><td>GCC 4.8</td><td>Bazel 0.15.0</td><td>7</td><td>9</td></tr>
<tr><td>tensorflow_gpu-1.11.0</td><td>2.7, 3.3-3.6</td><td>GCC 4.8</td><td>Bazel 0.15.0</td><td>7</td><td>9</td></tr>
<tr><td>tensorflow_gpu-1.10.0</td><td>2.7, 3.3-3.6</td><td>GCC 4.8</td><td>Bazel 0.15.0</td><td>7</td><td>9</td></tr>
<tr><td>tensorflow_gpu-1.9.0</td><td>2.7, 3.3-3.6</td><td>GCC 4.8</td><td>Bazel 0.11.0</td><td>7</td><td>9</td></tr>
<tr><td>tensorflow_gpu-1.8.0</td><td>2.7, 3.3-3.6</td><td>GCC 4.8</td><td>Bazel 0.10.0</td><td>7</td><td>9</td></tr>
<tr><td>tensorflow_gpu-1.7.0</td><td>2.7, 3.3-3.6</td><td>GCC 4.8</td><td>Bazel 0.9.0</td><td>7</td><td>9</td></tr>
<tr><td>tensorflow_gpu-1.6.0</td><td>2.7, 3.3-3.6</td><td>GCC 4.8</td><td>Bazel 0.9.0</td><td>7</td><td>9</td></tr>
<tr><td>tensorflow_gpu-1.5.0</td><td>2.7, 3.3-3.6</td><td>GCC 4.8</td><td>Bazel 0.8.0</td><td>7</td><td>9</td></tr>
<tr><td>tensorflow_gpu-1.4.0</td><td>2.7, 3.3-3.6</td><td>GCC 4.8</td><td>Bazel 0.5.4</td><td>6</td><td>8</td></tr>
<tr><td>tensorflow_gpu-1.3.0</td><td>2.7, 3.3-3.6</td><td>GCC 4.8</td><td>Bazel 0.4.5</td><td>6</td><td>8</td></tr>
<tr><td>tensorflow_gpu-1.2.0</td><td>2.7, 3.3-3.6</td><td>GCC 4.8</td><td>Bazel 0.4.5</td><td>5.1</td><td>8</td></tr>
<tr><td>tensorflow_gpu-1.1.0</td><td>2.7, 3.3-3.6</td><td>GCC 4.8</td><td>Bazel 0.4.2</td><td>5.1</td><td>8</td></tr>
<tr><td>tensorflow_gpu-1.0.0</td><td>2.7, 3.3-3.6</td><td>GCC 4.8</td><td>Bazel 0.4.2</td><td>5.1</td><td>8</td></tr>
"""

# https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html, Requirements
ONNXRUNTIME = """
|1.15<br>1.16|11.8|8.2.4 (Linux)<br/>8.5.0.96 (Windows)|Tested with CUDA versions from 11.6 up to 11.8, and cuDNN from 8.2.4 up to 8.7.0|
|1.14<br/>1.13.1<br/>1.13|11.6|8.2.4 (Linux)<br/>8.5.0.96 (Windows)|libcudart 11.4.43|
|1.12<br/>1.11|11.4|8.2.4 (Linux)<br/>8.2.2.26 (Windows)|libcudart 11.4.43|
|1.10|11.4|8.2.4 (Linux)<br/>8.2.2.26 (Windows)|libcudart 11.4.43|
|1.9|11.4|8.2.4 (Linux)<br/>8.2.2.26 (Windows)|libcudart 11.4.43|
|1.8|11.0.3|8.0.4 (Linux)<br/>8.0.2.39 (Windows)|libcudart 11.0.221|
|1.7|11.0.3|8.0.4 (Linux)<br/>8.0.2.39 (Windows)|libcudart 11.0.221|
"""

# https://github.com/pytorch/pytorch/blob/main/RELEASE.md, Release Compatibility Matrix
PYTORCH = """
| 2.11 | >=3.10, <=(3.14, 3.14t experimental) | C++17 | CUDA 12.6 (CUDNN 9.10.2.21) (NCCL 2.28.9), CUDA 12.8 (CUDNN 9.17.1.4) (NCCL 2.28.9), CUDA 13.0 (CUDNN 9.17.1.4) (NCCL 2.28.9) | -- | ROCm 7.2 |
| 2.10 | >=3.10, <=(3.14, 3.14t experimental) | C++17 | CUDA 12.6 (CUDNN 9.10.2.21) (NCCL 2.27.5), CUDA 12.8 (CUDNN 9.10.2.21) (NCCL 2.27.5) | CUDA 13.0 (CUDNN 9.15.1.9) (NCCL 2.28.9) | ROCm 7.1 |
| 2.9 | >=3.10, <=(3.14, 3.14t experimental) | C++17 | CUDA 12.6 (CUDNN 9.10.2.21), CUDA 12.8 (CUDNN 9.10.2.21) | CUDA 13.0 (CUDNN 9.13.0.50) | ROCm 6.4 |
| 2.8 | >=3.9, <=3.13, (3.13t experimental) | C++17 | CUDA 12.6 (CUDNN 9.10.2.21), CUDA 12.8 (CUDNN 9.10.2.21) | CUDA 12.9 (CUDNN 9.10.2.21) | ROCm 6.4 |
| 2.7 | >=3.9, <=3.13, (3.13t experimental) | C++17 | CUDA 11.8 (CUDNN 9.1.0.70), CUDA 12.6 (CUDNN 9.5.1.17) | CUDA 12.8 (CUDNN 9.7.1.26) | ROCm 6.3 |
| 2.3 | >=3.8, <=3.11, (3.12 experimental) | C++17 | CUDA 11.8, CUDNN 8.7.0.84 | CUDA 12.1, CUDNN 8.9.2.26 | ROCm 6.0 |
| 2.2 | >=3.8, <=3.11, (3.12 experimental) | C++17 | CUDA 11.8, CUDNN 8.7.0.84 | CUDA 12.1, CUDNN 8.9.2.26 | ROCm 5.7 |
| 2.1 | >=3.8, <=3.11 | C++17 | CUDA 11.8, CUDNN 8.7.0.84 | CUDA 12.1, CUDNN 8.9.2.26 | ROCm 5.6 |
| 2.0 | >=3.8, <=3.11 | C++14 | CUDA 11.7, CUDNN 8.5.0.96 | CUDA 11.8, CUDNN 8.7.0.84 | ROCm 5.4 |
| 1.13 | >=3.7, <=3.10 | C++14 | CUDA 11.6, CUDNN 8.3.2.44 | CUDA 11.7, CUDNN 8.5.0.96 | ROCm 5.2 |
"""

# docs.nvidia.com, CUDA Toolkit release notes, table "CUDA Toolkit and Corresponding Driver Versions"
DRIVERS = """
CUDA 13.0 GA >=580.65.06
CUDA 12.9 Update 1 >=575.57.08
CUDA 12.9 GA >=575.51.03
CUDA 12.8 Update 1 >=570.124.06
CUDA 12.8 GA >=570.26
CUDA 12.6 Update 3 >=560.35.05
CUDA 12.6 GA >=560.28.03
CUDA 12.5 Update 1 >=555.42.06
CUDA 12.5 GA >=555.42.02
CUDA 12.4 Update 1 >=550.54.15
CUDA 12.4 GA >=550.54.14
CUDA 12.3 Update 1 >=545.23.08
CUDA 12.3 GA >=545.23.06
CUDA 12.2 Update 2 >=535.104.05
CUDA 12.2 Update 1 >=535.86.09
CUDA 12.2 GA >=535.54.03
CUDA 12.1 Update 1 >=530.30.02
CUDA 12.1 GA >=530.30.02
CUDA 12.0 Update 1 >=525.85.12
CUDA 12.0 GA >=525.60.13
CUDA 11.8 GA >=520.61.05
CUDA 11.7 Update 1 >=515.48.07
CUDA 11.7 GA >=515.43.04
CUDA 11.6 Update 2 >=510.47.03
CUDA 11.6 GA >=510.39.01
CUDA 11.5 Update 2 >=495.29.05
CUDA 11.4 Update 4 >=470.82.01
CUDA 11.4 GA >=470.42.01
CUDA 11.3 Update 1 >=465.19.01
CUDA 11.2 Update 2 >=460.32.03
CUDA 11.2 GA >=460.27.03
CUDA 11.1 Update 1 >=455.32
CUDA 11.1 GA >=455.23
CUDA 10.2.89 >=440.33
CUDA 10.1.105 >=418.39
CUDA 10.0.130 >=410.48
CUDA 9.2.148 >=396.37
CUDA 9.2.88 >=396.26
CUDA 9.1.85 >=390.46
CUDA 9.0.76 >=384.81
CUDA 8.0.61 >=375.26
CUDA 8.0.44 >=367.48
CUDA 7.5.16 >=352.31
CUDA 7.0.28 >=346.46
"""

# docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html
MINOR_VERSION = [("13", "580"), ("12", "525"), ("11", "450")]


def rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


def pythons(written: str) -> set[str]:
    """``2.7, 3.3-3.7`` without those older than 3.5, for which the index has no wheels of most."""
    found = set()
    for part in written.split(", "):
        first, _, last = part.partition("-")
        low, high = int(first.split(".")[1]), int((last or first).split(".")[1])
        if first.startswith("3."):
            found |= {f"3.{minor}" for minor in range(max(low, 5), high + 1)}
    return found


@pytest.mark.parametrize("row", rows(TENSORFLOW))
def test_tensorflow_was_built_for_what_its_table_says(row: str) -> None:
    name, python, _, _, cudnn, cuda = re.findall(r"<td>(.*?)</td>", row)
    version = name.rpartition("-")[2]
    builds = [b for b in framework_builds("tensorflow") if b.version == version]
    with_cuda = [b for b in builds if b.device == "cuda"]
    assert with_cuda
    for build in with_cuda:
        assert build.cuda is not None
        assert build.cudnn is not None
        # the table of 1.x says 8 and 9 where only 8.0 and 9.0 were
        assert build.cuda.text == (cuda if "." in cuda else f"{cuda}.0")
        assert build.cudnn.text == cudnn
        assert pythons(python) <= set(build.pythons)
    assert any(b.device == "cpu" for b in builds)


@pytest.mark.parametrize("row", rows(ONNXRUNTIME))
def test_onnx_runtime_was_built_for_what_its_table_says(row: str) -> None:
    versions, cuda, cudnn, _ = row.strip("|").split("|")
    linux = cudnn.partition(" (Linux)")[0]
    for series in re.split(r"<br/?>", versions):
        found = [
            build
            for build in framework_builds("onnxruntime")
            if build.device == "cuda" and f"{build.version}.".startswith(f"{series}.")
        ]
        assert found
        for build in found:
            assert build.package == "onnxruntime-gpu"
            assert build.cuda is not None
            assert build.cudnn is not None
            assert cuda.startswith(build.cuda.text)
            # a later table says "8" for 1.15 and 1.16: any cuDNN 8
            assert linux.startswith(build.cudnn.text)


@pytest.mark.parametrize("row", rows(PYTORCH))
def test_pytorch_was_built_for_what_its_matrix_says(row: str) -> None:
    series, _, _, stable, experimental, _ = (cell.strip() for cell in row.strip("|").split("|"))
    listed = re.findall(r"CUDA ([0-9.]+)(?: \(|, )CUDNN ([0-9.]+)", f"{stable} {experimental}")
    assert listed
    builds = [b for b in framework_builds("torch") if b.version.startswith(f"{series}.")]
    confirmed = []
    for cuda, cudnn in listed:
        known = [b for b in builds if b.cuda is not None and b.cuda.text == cuda]
        # what the wheels of the default index themselves ask for counts more than the matrix
        pinned = {str(b.cudnn) for b in known if not b.index and b.cudnn is not None}
        found = {str(b.cudnn) for b in known if b.index and b.cudnn is not None}
        assert found <= pinned | {cudnn}
        confirmed += [cuda] if cudnn in found | pinned else []
    assert confirmed


@pytest.mark.parametrize("row", rows(DRIVERS))
def test_a_release_of_cuda_came_with_the_driver_of_its_release_notes(row: str) -> None:
    match = re.fullmatch(r"CUDA ([0-9.]+)(?: (GA|Update (\d)))? >=([0-9.]+)", row)
    assert match is not None
    release, kind, update, driver = match.groups()
    version = release if kind is None else f"{release}.{update or 0}"
    patch = find_patch(version)
    assert patch is not None
    assert patch.driver is not None
    assert patch.driver.text == driver
    assert patch.fact.sources


@pytest.mark.parametrize(("major", "branch"), MINOR_VERSION)
def test_minor_version_compatibility_begins_with_the_driver_of_its_table(
    major: str, branch: str
) -> None:
    releases = [r for r in cuda_releases().values() if r.version.major == int(major)]
    assert releases
    assert {release.driver_min.major for release in releases} == {int(branch)}


@pytest.mark.parametrize(
    ("cuda", "first", "last"),
    # CMake's Modules/Internal/CMakeCUDAArchitecturesAll.cmake, and what nvcc 12 and 13 list
    [
        ("9.0", "3.0", "7.2"),
        ("10.2", "3.0", "7.5"),
        ("11.8", "3.5", "9.0"),
        ("13.0", "7.5", "12.1"),
    ],
)
def test_a_release_of_cuda_knows_these_gpus(cuda: str, first: str, last: str) -> None:
    release = find_release(cuda)
    assert release is not None
    assert (release.first, release.last) == (Dotted.parse(first), Dotted.parse(last))
