from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from twinforge.errors import LockError
from twinforge.lock.apt import apt_packages
from twinforge.lock.cuda import cuda_packages, cuda_troubles
from twinforge.model.cuda import CudaLibraries, CudaLibrary
from twinforge.model.matrix import Accelerator, Base, Bootstrap
from twinforge.model.place import Place
from twinforge.model.recipe import AptPackage, SystemPackages
from twinforge.model.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from twinforge.model.recipe import Recipe
    from twinforge.model.variant import Variant

    Recipes = Callable[..., Recipe]
    Variants = Callable[..., tuple[Variant, ...]]

MATRIX = Place("matrix.yaml", 3, 3)
WITH_CUDA = ("main", "non-free")


def libraries(*names: str, dev: bool = False) -> CudaLibraries:
    """Libraries that stand in line 9, one after the other."""
    places = (Place("recipes/digits.yaml", 9, 20 + column) for column in range(len(names)))
    return CudaLibraries(tuple(map(CudaLibrary, names, places)), dev=dev)


def on_debian(variant: Variant, suite: str, *components: str) -> Variant:
    source = Bootstrap(suite, "", (), components)
    return replace(variant, base=Base("debian", "debian", "", source, MATRIX))


def on_image(variant: Variant, image: str) -> Variant:
    return replace(variant, base=Base("image", "image", "", Reference.parse(image), MATRIX))


def of_cuda(variant: Variant, cuda: str, cudnn: str = "") -> Variant:
    return replace(variant, accelerator=Accelerator("gpu", cuda, cudnn, (), MATRIX))


@pytest.fixture
def cuda118(make_variants: Variants) -> Variant:
    (variant,) = make_variants({"cu118": "11.8"})
    return on_debian(variant, "bookworm", *WITH_CUDA)


def told(recipe: Recipe, variant: Variant) -> list[tuple[str, str]]:
    return [(str(one.place), one.message) for one in cuda_troubles(recipe, variant)]


def test_what_debian_carries_is_left_to_apt_to_pin(make_recipe: Recipes, cuda118: Variant) -> None:
    recipe = replace(make_recipe(), cuda=libraries("cudart", "cublas", "cufft"))
    assert [str(one) for one in cuda_packages(recipe, cuda118)] == [
        "libcudart11.0",
        "libcublas11",
        "libcublaslt11",
        "libcufft10",
    ]


def test_the_images_of_2018_get_the_packages_and_pins_that_they_had(
    make_recipe: Recipes, cuda118: Variant
) -> None:
    wanted = libraries(
        "cublas", "cudart", "cufft", "curand", "cusolver", "cusparse", "cudnn", dev=True
    )
    variant = on_image(of_cuda(cuda118, "9.0", "7.0.5"), "nvidia/cuda:9.0-base-ubuntu16.04")
    found = {str(one) for one in cuda_packages(replace(make_recipe(), cuda=wanted), variant)}
    # apt-get install of public Dockerfiles of 2018, on that very image
    for name in ("cublas", "cudart", "cufft", "curand", "cusolver", "cusparse"):
        assert any(one.partition("=")[0] == f"cuda-{name}-dev-9-0" for one in found)
    assert {"libcudnn7=7.0.5.15-1+cuda9.0", "libcudnn7-dev=7.0.5.15-1+cuda9.0"} <= found


def test_a_library_of_nvidia_s_repository_is_pinned_by_the_data(
    make_recipe: Recipes, cuda118: Variant
) -> None:
    recipe = replace(make_recipe(), cuda=libraries("cublas"))
    variant = on_image(cuda118, "nvidia/cuda:11.8.0-base-ubuntu22.04")
    # nvidia/container-images/cuda dist/11.8.0/ubuntu2204/runtime: NV_LIBCUBLAS_VERSION 11.11.3.6-1
    assert [str(one) for one in cuda_packages(recipe, variant)] == ["libcublas-11-8=11.11.3.6-1"]


def test_a_cpu_gets_none(make_recipe: Recipes, make_variants: Variants) -> None:
    (cpu,) = make_variants({"cpu": ""})
    recipe = replace(make_recipe(), cuda=libraries("cublas", "no-such-thing"))
    assert cuda_packages(recipe, cpu) == ()
    assert cuda_troubles(recipe, cpu) == ()


def test_an_accelerator_adds_its_own_and_each_comes_once(
    make_recipe: Recipes, cuda118: Variant
) -> None:
    recipe = replace(make_recipe(), cuda=libraries("cufft"))
    accelerator = replace(cuda118.accelerator, libraries=libraries("cufft", "curand"))
    variant = replace(cuda118, accelerator=accelerator)
    assert [one.name for one in cuda_packages(recipe, variant)] == ["libcufft10", "libcurand10"]


def test_what_is_pinned_by_hand_is_asked_for_once(make_recipe: Recipes, cuda118: Variant) -> None:
    system = SystemPackages((), (AptPackage("libcufft10", "1.2"),))
    recipe = replace(make_recipe(system=system), cuda=libraries("cufft", "curand"))
    wanted = [str(one) for one in apt_packages(recipe, cuda118)]
    assert wanted == ["libcufft10=1.2", "libcurand10"]


def test_a_misspelt_library_is_told_with_its_place_and_what_was_meant(
    make_recipe: Recipes, cuda118: Variant
) -> None:
    recipe = replace(make_recipe(), cuda=libraries("cufft", "cublass"))
    assert told(recipe, cuda118) == [
        (
            "recipes/digits.yaml:9:21",
            "CUDA 11.8 on debian-12 has no library 'cublass'; did you mean 'cublas'?",
        )
    ]
    with pytest.raises(LockError, match=r"^recipes/digits\.yaml:9:21: CUDA 11\.8 on debian-12 has"):
        cuda_packages(recipe, cuda118)


def test_a_cuda_that_the_system_does_not_have_is_told_with_those_that_it_has(
    make_recipe: Recipes, cuda118: Variant
) -> None:
    recipe = replace(make_recipe(), cuda=libraries("cufft", "curand"))
    ((place, message),) = told(recipe, of_cuda(cuda118, "12.4"))
    assert place == "recipes/digits.yaml:9:20"
    assert message.endswith("in apt on 'debian-12'; on debian-12 the data has CUDA 11.8")


def test_a_component_that_the_base_lacks_is_told_with_what_to_declare(
    make_recipe: Recipes, cuda118: Variant
) -> None:
    recipe = replace(make_recipe(), cuda=libraries("cufft"))
    ((place, message),) = told(recipe, on_debian(cuda118, "bookworm"))
    assert place == "recipes/digits.yaml:9:20"
    assert message == (
        "'libcufft10' is in the component 'non-free', which the base 'debian' (matrix.yaml:3:3) does "
        "not have; declare `components: [main, non-free]` there"
    )


def test_nccl_of_debian_13_is_in_another_component_than_the_rest(
    make_recipe: Recipes, cuda118: Variant
) -> None:
    recipe = replace(make_recipe(), cuda=libraries("cufft", "nccl"))
    variant = on_debian(of_cuda(cuda118, "12.4"), "trixie", *WITH_CUDA)
    ((_, message),) = told(recipe, variant)
    assert message.startswith("'libnccl2' is in the component 'contrib'")
    assert told(recipe, on_debian(variant, "trixie", *WITH_CUDA, "contrib")) == []


@pytest.mark.parametrize("image", ["ubuntu:22.04", "debian:12"])
def test_nvidia_s_repository_is_not_in_a_distribution_s_own_image(
    make_recipe: Recipes, cuda118: Variant, image: str
) -> None:
    recipe = replace(make_recipe(), cuda=libraries("cublas"))
    variant = on_image(cuda118, image)
    expected = image.startswith("ubuntu")
    assert any("NVIDIA's repository" in message for _, message in told(recipe, variant)) == expected


def test_cudnn_is_no_package_of_debian_and_its_wheel_is_named(
    make_recipe: Recipes, cuda118: Variant
) -> None:
    recipe = replace(make_recipe(), cuda=libraries("cudnn"))
    ((_, message),) = told(recipe, of_cuda(cuda118, "11.8", "8.7"))
    assert message == (
        "there is no Debian package of cuDNN 8.7.0.84 for CUDA 11.8 on debian-12; put NVIDIA's wheel "
        "'nvidia-cudnn-cu11==8.7.0.84' under python.packages instead"
    )


def test_cudnn_needs_a_version_that_the_data_knows(make_recipe: Recipes, cuda118: Variant) -> None:
    recipe = replace(make_recipe(), cuda=libraries("cudnn"))
    ((_, without),) = told(recipe, cuda118)
    assert without == "the accelerator 'cu118' declares no version of cuDNN"
    ((_, unknown),) = told(recipe, of_cuda(cuda118, "11.8", "77.1"))
    assert unknown == "there is no data on cuDNN 77.1"


def test_cudnn_follows_the_accelerator_where_nvidia_has_packages(
    make_recipe: Recipes, cuda118: Variant
) -> None:
    recipe = replace(make_recipe(), cuda=libraries("cudnn"))
    variant = on_image(of_cuda(cuda118, "11.8", "8.9.6"), "nvidia/cuda:11.8.0-base-ubuntu22.04")
    # nvidia/container-images/cuda dist/11.8.0/ubuntu2204/runtime/cudnn8: NV_CUDNN_VERSION 8.9.6.50
    assert [str(one) for one in cuda_packages(recipe, variant)] == ["libcudnn8=8.9.6.50-1+cuda11.8"]
