from __future__ import annotations

from typing import TYPE_CHECKING

from twinforge.lock.document import VariantLock, Wheel
from twinforge.lock.parity import parity_problems
from twinforge.model.place import Place
from twinforge.model.recipe import Twin

if TYPE_CHECKING:
    from collections.abc import Mapping

TWIN = Twin({"cpu": "xgboost-cpu", "cuda": "XGBoost[dask]"}, "", Place("r.yaml", 1, 1))


def lock(slug: str, versions: Mapping[str, str], *, sha256: str = "a" * 64) -> VariantLock:
    return VariantLock(
        slug,
        "debian-12",
        (),
        tuple(
            Wheel(name, version, f"{name}-{version}-{sha256[0]}.whl", sha256, 1, "common")
            for name, version in versions.items()
        ),
    )


CPU = lock("cpu", {"numpy": "2.0", "xgboost-cpu": "3.2"})
CUDA = lock("cu129", {"numpy": "2.0", "xgboost": "3.2", "nvidia-nccl-cu12": "2.3"})


def test_siblings_with_equal_packages_twins_and_device_packages_of_their_own_match() -> None:
    assert parity_problems([CPU, CUDA], [TWIN], []) == ()


def test_a_version_that_differs_is_a_problem() -> None:
    other = lock("cu129", {"numpy": "1.0", "xgboost": "3.2"})
    assert parity_problems([CPU, other], [TWIN], []) == ("'numpy' is 2.0 in cpu and 1.0 in cu129",)


def test_the_same_version_from_another_file_is_a_problem() -> None:
    other = lock("cu129", {"numpy": "2.0", "xgboost": "3.2"}, sha256="b" * 64)
    assert parity_problems([CPU, other], [TWIN], []) == (
        "'numpy' 2.0 is 'numpy-2.0-a.whl' in cpu and 'numpy-2.0-b.whl' in cu129",
    )


def test_an_exempt_package_may_differ_however_it_is_written() -> None:
    left, right = lock("cpu", {"my-pkg": "2.0"}), lock("cu129", {"my-pkg": "1.0"})
    assert parity_problems([left, right], [], ["My_Pkg"]) == ()
    assert parity_problems([left, right], [], ["other"]) != ()


def test_twins_of_different_versions_are_a_problem() -> None:
    other = lock("cu129", {"numpy": "2.0", "xgboost": "3.1"})
    assert parity_problems([CPU, other], [TWIN], []) == (
        "the twins 'xgboost-cpu' 3.2 of cpu and 'xgboost' 3.1 of cu129 differ",
    )
    assert parity_problems([CPU, other], [TWIN], ["xgboost"]) == ()


def test_twins_that_differ_in_their_local_version_only_match() -> None:
    twin = Twin({"cpu": "torch", "cuda": "torch"}, "", Place("r.yaml", 1, 1))
    left, right = lock("cpu", {"torch": "2.1+cpu"}), lock("cu118", {"torch": "2.1+cu118"})
    assert parity_problems([left, right], [twin], []) == ()


def test_both_halves_of_a_twin_in_one_variant_are_a_problem() -> None:
    both = lock("cpu", {"xgboost": "3.2", "xgboost-cpu": "3.2"})
    assert parity_problems([both], [TWIN], []) == (
        "cpu holds 'xgboost' and 'xgboost-cpu', which are installed over each other",
    )


def test_a_variant_without_its_twin_is_a_problem() -> None:
    assert parity_problems([lock("cpu", {})], [TWIN], []) == (
        "cpu holds no 'xgboost' or 'xgboost-cpu'",
    )


def test_the_third_sibling_is_compared_too() -> None:
    other = lock("cu118", {"numpy": "1.0", "xgboost": "3.2"})
    assert parity_problems([CPU, CUDA, other], [TWIN], []) == (
        "'numpy' is 2.0 in cu129 and 1.0 in cu118",
    )
