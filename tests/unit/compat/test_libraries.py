from __future__ import annotations

import pytest

from twinforge.compat.facts import Dotted
from twinforge.compat.libraries import library_names, library_packages, measured_code
from twinforge.compat.library_tables import parse_library_table
from twinforge.errors import TwinforgeError, UnknownError


def pins(cuda: str, system: str, *libraries: str, dev: bool = False) -> list[str]:
    return [package.pinned for package in library_packages(cuda, system, libraries, dev=dev)]


def test_cuda_9_has_the_names_that_the_keras_images_of_2018_installed() -> None:
    found = pins("9.0", "ubuntu-16.04", "cublas", "cudart", "cufft", dev=True)
    assert found == [
        "cuda-cublas-9-0=9.0.176-1",
        "cuda-cublas-dev-9-0=9.0.176-1",
        "cuda-cudart-9-0=9.0.176-1",
        "cuda-cudart-dev-9-0",
        "cuda-cufft-9-0",
        "cuda-cufft-dev-9-0",
    ]


def test_cublas_of_cuda_10_1_is_named_without_its_release() -> None:
    # nvidia/container-images/cuda dist/10.1/ubuntu18.04: NV_LIBCUBLAS_PACKAGE_NAME libcublas10
    assert pins("10.1", "ubuntu-18.04", "cublas", dev=True) == [
        "libcublas10=10.2.1.243-1",
        "libcublas-dev=10.2.1.243-1",
    ]


def test_cuda_11_8_has_the_pins_of_its_image() -> None:
    # nvidia/container-images/cuda dist/11.8.0/ubuntu2204/runtime: NV_LIBCUBLAS_VERSION 11.11.3.6-1
    assert pins("11.8", "ubuntu-22.04", "cublas") == ["libcublas-11-8=11.11.3.6-1"]
    assert pins("11.8.0", "ubuntu-22.04", "cusparse") == ["libcusparse-11-8=11.7.5.86-1"]


def test_of_several_patch_releases_the_newest_is_pinned() -> None:
    assert pins("12.4", "ubuntu-22.04", "cudart") == ["cuda-cudart-12-4=12.4.127-1"]
    assert pins("12.4.0", "ubuntu-22.04", "cudart") == ["cuda-cudart-12-4=12.4.99-1"]


def test_debian_has_its_own_packages() -> None:
    assert pins("11.8", "debian-12", "cudart", "cublas") == [
        "libcudart11.0=11.8.89~11.8.0-5~deb12u1",
        "libcublas11=11.11.3.6~11.8.0-5~deb12u1",
        "libcublaslt11=11.11.3.6~11.8.0-5~deb12u1",
    ]
    assert pins("12.4", "debian-13", "cufft", dev=True) == [
        "libcufft11=11.2.1.3~12.4.1-2",
        "nvidia-cuda-dev=12.4.127~12.4.1-2",
    ]


def test_a_name_without_a_pin_is_said_to_be_a_name_only() -> None:
    (package,) = library_packages("11.8", "ubuntu-22.04", ["cufft"])
    assert package.version == ""
    assert not package.fact.verified
    (package,) = library_packages("11.8", "ubuntu-22.04", ["cublas"])
    assert package.fact.verified


@pytest.mark.parametrize(
    ("cuda", "system", "library", "hint"),
    [
        ("12.4", "debian-12", "cublas", "on debian-12 the data has CUDA 11.8"),
        ("12.4", "ubuntu-26.10", "cublas", "CUDA 12.4 is known on ubuntu-20.04, ubuntu-22.04"),
        ("11.8", "ubuntu-22.04", "cublass", "did you mean 'cublas'?"),
        ("twelve", "alpine-3", "cublas", ""),
    ],
)
def test_what_there_is_no_data_on_is_never_guessed(
    cuda: str, system: str, library: str, hint: str
) -> None:
    with pytest.raises(UnknownError) as error:
        library_packages(cuda, system, [library])
    assert error.value.hint == hint


def test_the_libraries_of_the_issue_are_known_for_every_regime() -> None:
    wanted = {"cublas", "cufft", "curand", "cusolver", "cusparse"}
    for cuda, system in (("9.0", "ubuntu-16.04"), ("13.1", "ubuntu-24.04"), ("11.8", "debian-12")):
        assert wanted <= set(library_names(cuda, system))


def test_a_wrong_file_is_refused() -> None:
    with pytest.raises(TwinforgeError, match=r"libraries\.yaml"):
        parse_library_table("names: []")


def test_debian_12_still_has_code_for_k80_and_debian_13_has_not() -> None:
    (old,) = measured_code("libcublas11", "11.11.3.6~11.8.0-5~deb12u1")
    (new,) = measured_code("libcublas12", "12.4.5.8~12.4.1-2")
    assert min(old.compute_capabilities) == Dotted.parse("3.5")
    assert min(new.compute_capabilities) == Dotted.parse("5.0")
    assert old.ptx == Dotted.parse("9.0")


def test_a_wheel_of_several_libraries_tells_each() -> None:
    found = measured_code("nvidia-cublas-cu12", "12.4.5.8")
    assert [code.library for code in found] == ["libcublas.so.12", "libcublasLt.so.12"]
    assert Dotted.parse("8.9") in found[1].compute_capabilities


def test_a_library_that_nobody_looked_into_has_no_answer() -> None:
    assert measured_code("nvidia-cublas-cu12", "1.0") == ()


def test_every_pinned_package_of_debian_that_was_measured_has_its_version() -> None:
    pinned = {
        (package.name, package.version)
        for system, cuda in (("debian-12", "11.8"), ("debian-13", "12.4"))
        for package in library_packages(cuda, system, library_names(cuda, system))
    }
    assert all(
        measured_code(*pin) for pin in pinned if pin[0].startswith(("libcublas", "libcufft"))
    )
