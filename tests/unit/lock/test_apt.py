from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.unit.lock.world import BOOST, PAIR, Apt, World
from twinforge.lock.apt import apt_packages
from twinforge.lock.resolve import Upgrade, lock_recipe
from twinforge.model.recipe import AptPackage, SystemPackages
from twinforge.model.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from twinforge.model.recipe import Override, Recipe
    from twinforge.model.variant import Variant

    Overrides = Callable[..., Override]
    Recipes = Callable[..., Recipe]
    Variants = Callable[..., tuple[Variant, ...]]


def test_system_packages_of_the_accelerator_reach_cuda_variants_only(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    system = SystemPackages((AptPackage("libgomp1"),), (AptPackage("libnuma1"),))
    recipe = make_recipe("numpy", system=system)
    cpu, cuda = make_variants(PAIR, packages=(AptPackage("cudnn", "8.9"), AptPackage("libgomp1")))
    assert [str(one) for one in apt_packages(recipe, cpu)] == ["libgomp1"]
    assert [str(one) for one in apt_packages(recipe, cuda)] == [
        "libgomp1",
        "libnuma1",
        "cudnn=8.9",
    ]


def test_an_image_of_a_registry_is_not_assumed_to_hold_python(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    system = SystemPackages((AptPackage("libgomp1"),), ())
    (cpu,) = make_variants({"cpu": ""}, pythons=("3.10",))
    image = replace(cpu.base, source=Reference.parse("ubuntu:22.04"))
    packages = apt_packages(make_recipe(system=system), replace(cpu, base=image))
    assert [str(one) for one in packages] == ["python3.10", "libgomp1"]


def test_apt_is_asked_once_for_the_same_packages_and_never_for_none(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    variants = make_variants(PAIR, pythons=("3.11", "3.12"))
    for system, times in ((SystemPackages((AptPackage("z"),), ()), 1), (SystemPackages((), ()), 0)):
        apt = Apt()
        lock = lock_recipe(
            make_recipe("numpy", system=system),
            variants,
            resolver=World(BOOST),
            apt=apt,
            previous=None,
            upgrade=Upgrade(),
            glibc=lambda _: "2.36",
        )
        assert len(apt.asked) == times
        names = [package.name for package in lock.variants[0].apt]
        assert names == (["libc6", "z"] if times else [])


def test_an_override_s_debian_packages_are_asked_of_apt(
    make_recipe: Recipes, make_variants: Variants, make_override: Overrides
) -> None:
    system = SystemPackages((AptPackage("libgomp1"), AptPackage("curl")), (AptPackage("cuda"),))
    change = SystemPackages((AptPackage("libgomp1", "12"),), (AptPackage("libnuma1"),))
    (cuda,) = make_variants({"cu129": "12.9"})
    changed = replace(cuda, overrides=(make_override(system=change),))
    recipe = make_recipe(system=system)
    assert list(map(str, apt_packages(recipe, cuda))) == ["libgomp1", "curl", "cuda"]
    assert list(map(str, apt_packages(recipe, changed))) == [
        "curl",
        "libgomp1=12",
        "cuda",
        "libnuma1",
    ]
