from __future__ import annotations

from twinforge.compat.duplicates import find_duplicate

WHEELS = {"nvidia-cublas-cu12": 400, "nvidia-cudnn-cu12": 700, "numpy": 9}
RUNTIME = "nvidia/cuda:12.4.1-runtime-ubuntu22.04"


def test_libraries_that_come_from_one_place_each_are_none() -> None:
    apt = ["libcublas11", "libcublaslt11", "libcufft10"]
    assert find_duplicate("bookworm", apt, {"nvidia-cudnn-cu11": 700}) is None
    assert find_duplicate("nvidia/cuda:12.4.1-base-ubuntu22.04", [], WHEELS) is None


def test_a_library_of_apt_and_of_a_wheel_is_told_with_what_the_wheel_weighs() -> None:
    found = find_duplicate("bookworm", ["libcublas11", "libcufft10"], WHEELS)
    assert found is not None
    assert found.libraries == ("cublas",)
    assert found.sources == ("the Debian packages libcublas11", "the wheels nvidia-cublas-cu12")
    assert (found.size_bytes, found.instead) == (400, "")


def test_a_base_with_all_libraries_is_told_with_the_one_that_avoids_it() -> None:
    found = find_duplicate(RUNTIME, [], WHEELS)
    assert found is not None
    assert found.libraries == ("cublas",)
    assert found.sources == (f"the base {RUNTIME}", "the wheels nvidia-cublas-cu12")
    assert found.instead == "nvidia/cuda:12.4.1-base-ubuntu22.04"


def test_cudnn_of_the_base_counts_where_its_tag_has_one() -> None:
    found = find_duplicate("nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04", [], WHEELS)
    assert found is not None
    assert found.libraries == ("cublas", "cudnn")
    assert found.size_bytes == 1100


def test_what_brings_everything_counts_before_it_is_locked() -> None:
    found = find_duplicate("bookworm", ["cuda-libraries-12-4"], {}, carries=["torch==2.6.0"])
    assert found is not None
    assert "cudnn" not in found.libraries
    assert found.sources == (
        "the Debian packages cuda-libraries-12-4",
        "the wheels torch==2.6.0",
    )
