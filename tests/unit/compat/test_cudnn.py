from __future__ import annotations

import pytest

from twinforge.compat.cudnn import cudnn_releases, find_cudnn, tag_parts
from twinforge.compat.cudnn_tables import parse_cudnn_table
from twinforge.compat.facts import Dotted
from twinforge.errors import TwinforgeError


def test_releases_are_in_order_and_all_that_is_said_of_them_has_a_source() -> None:
    versions = [release.version for release in cudnn_releases()]
    assert versions == sorted(versions)
    assert len(versions) == len({version.parts for version in versions})
    for release in cudnn_releases():
        assert release.facts
        assert all(fact.sources for fact in release.facts)


@pytest.mark.parametrize(
    ("text", "version"),
    [("8.7", "8.7.0.84"), ("9.10.2", "9.10.2.21"), ("8.9.6.50", "8.9.6.50"), ("7.0.5", "7.0.5.15")],
)
def test_the_newest_release_that_begins_so_is_found(text: str, version: str) -> None:
    found = find_cudnn(text)
    assert found is not None
    assert found.version.text == version


@pytest.mark.parametrize("text", ["99", "8.x", "", "9.100"])
def test_a_release_without_data_is_not_found(text: str) -> None:
    assert find_cudnn(text) is None


@pytest.mark.parametrize(
    # measured: the fat binaries in the wheels of these releases
    ("text", "cuda_major", "oldest"),
    [
        ("8.7.0.84", 11, "3.5"),
        ("8.8.0.121", 11, "5.0"),
        ("9.10.2.21", 12, "5.0"),
        ("9.11.0.98", 12, "7.5"),
        ("9.12.0.46", 13, "7.5"),
    ],
)
def test_the_oldest_gpu_is_the_measured_one(text: str, cuda_major: int, oldest: str) -> None:
    release = find_cudnn(text)
    assert release is not None
    gpus = release.gpus_for(cuda_major)
    assert gpus is not None
    assert gpus.oldest == Dotted.parse(oldest)
    assert gpus.fact.verified


@pytest.mark.parametrize(
    ("text", "cuda", "packages"),
    [
        ("7.6.5", "10.1", ("libcudnn7", "libcudnn7-dev", "7.6.5.32-1+cuda10.1")),
        ("7.0.5", "9.0", ("libcudnn7", "libcudnn7-dev", "7.0.5.15-1+cuda9.0")),
        ("8.9.6", "11.8", ("libcudnn8", "libcudnn8-dev", "8.9.6.50-1+cuda11.8")),
        ("9.1.0", "12.4", ("libcudnn9-cuda-12", "libcudnn9-dev-cuda-12", "9.1.0.70-1")),
        ("9.14", "13.0", ("libcudnn9-cuda-13", "libcudnn9-dev-cuda-13", "9.14.0.64-1")),
        ("9.28.0", "12.9", ("libcudnn9-cuda-12", "libcudnn9-dev-cuda-12", "")),
    ],
)
def test_each_regime_of_apt_names_has_its_pins(
    text: str, cuda: str, packages: tuple[str, str, str]
) -> None:
    release = find_cudnn(text)
    assert release is not None
    found = release.apt_for(Dotted.parse(cuda))
    assert found is not None
    assert (found.runtime, found.dev, found.pin) == packages


def test_a_cuda_that_a_release_was_never_made_for_has_no_packages() -> None:
    release = find_cudnn("7.6.5")
    assert release is not None
    assert release.apt_for(Dotted.parse("12.4")) is None


def test_wheels_have_the_name_of_their_cuda_major() -> None:
    release = find_cudnn("9.12.0.46")
    assert release is not None
    assert [wheel.requirement(release) for wheel in release.wheels] == [
        "nvidia-cudnn-cu12==9.12.0.46",
        "nvidia-cudnn-cu13==9.12.0.46",
    ]
    assert [str(wheel.glibc) for wheel in release.wheels] == ["2.27", "2.27"]


@pytest.mark.parametrize(
    ("cuda", "parts"),
    [("12.4.1", ("cudnn",)), ("12.3.2", ("cudnn9",)), ("11.8.0", ("cudnn8",)), ("7.0", ())],
)
def test_tags_call_it_by_the_regime_of_their_cuda(cuda: str, parts: tuple[str, ...]) -> None:
    assert tag_parts(Dotted.parse(cuda)) == parts


def test_the_support_table_of_8_9_6_names_cuda_12_2_and_not_12_3() -> None:
    # docs.nvidia.com/deeplearning/cudnn/archives/cudnn-896/support-matrix
    release = find_cudnn("8.9.6")
    assert release is not None
    assert any(part.holds(Dotted.parse("12.2.2")) for part in release.cuda)
    assert not any(part.holds(Dotted.parse("12.3")) for part in release.cuda)


def test_a_wrong_file_is_refused() -> None:
    with pytest.raises(TwinforgeError, match=r"cudnn\.yaml"):
        parse_cudnn_table("regimes: []")
