from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from twinforge.lock.checksum import base_checksum, inputs_checksum
from twinforge.model.cuda import CudaLibraries, CudaLibrary
from twinforge.model.matrix import Bootstrap
from twinforge.model.place import Place
from twinforge.model.recipe import AptPackage, Exclusion, SystemPackages
from twinforge.model.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twinforge.model.recipe import Override, Recipe
    from twinforge.model.variant import Variant

    Overrides = Callable[..., Override]
    Recipes = Callable[..., Recipe]
    Variants = Callable[..., tuple[Variant, ...]]

TWIN = {"cpu": "xgboost-cpu", "cuda": "xgboost"}
PAIR = {"cpu": "", "cu129": "12.9"}
LIBRARIES = CudaLibraries((CudaLibrary("cublas", Place("x", 1, 1)),), dev=False)
CHECKSUM_BEFORE_OVERRIDES = "8265f8a18d9fd1d1db685611f862b2edc9ddeed1d94a05754dee712f3c58cad8"


def checksum(recipe: Recipe, variants: Sequence[Variant]) -> str:
    return inputs_checksum(recipe, variants, {one.base.name: one.base for one in variants})


def test_what_does_not_decide_the_lock_does_not_change_it(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    recipe = make_recipe("numpy", "pandas>=2", TWIN)
    before = checksum(recipe, make_variants(PAIR))
    other = make_recipe(TWIN, "pandas>=2", "numpy")
    other = replace(
        other, version="9", description="x", env={"A": "1"}, program="y", steps=("true",)
    )
    assert checksum(other, make_variants(PAIR)) == before


@pytest.mark.parametrize(
    "change",
    [
        {"packages": ("numpy<2", TWIN)},
        {"packages": ("numpy", TWIN | {"version": ">=2"})},
        {"packages": ("numpy", TWIN | {"cuda": "xgboost[dask]"})},
        {"exempt": {"numpy": "old"}},
        {"indexes": ("https://wheels.example.org/simple",)},
        {"system": SystemPackages((AptPackage("libgomp1"),), ())},
        {"system": SystemPackages((), (AptPackage("libgomp1"),))},
    ],
)
def test_what_the_recipe_asks_for_changes_it(
    make_recipe: Recipes, make_variants: Variants, change: dict[str, object]
) -> None:
    packages = change.pop("packages", ("numpy", TWIN))
    assert isinstance(packages, tuple)
    changed = make_recipe(*packages, **change)
    variants = make_variants(PAIR)
    assert checksum(changed, variants) != checksum(make_recipe("numpy", TWIN), variants)


def test_what_the_matrix_says_changes_it(make_recipe: Recipes, make_variants: Variants) -> None:
    recipe = make_recipe("numpy", TWIN)
    pair = make_variants(PAIR)
    snapshot = replace(pair[0].base, source=Bootstrap("bookworm", "20260101T000000Z", ()))
    image = replace(pair[0].base, source=Reference.parse("debian:12"))
    source = Bootstrap("bookworm", "", (), ("main", "non-free"))
    components = replace(pair[0].base, source=source)
    with_libraries = replace(pair[1].accelerator, libraries=LIBRARIES)
    others = [
        make_variants({"cpu": ""}),
        make_variants(PAIR, pythons=("3.12",)),
        make_variants(PAIR, packages=(AptPackage("libcudnn8", "8.9"),)),
        tuple(replace(one, base=snapshot) for one in pair),
        tuple(replace(one, base=image) for one in pair),
        tuple(replace(one, base=components) for one in pair),
        tuple(replace(one, accelerator=with_libraries) for one in pair),
    ]
    checksums = {checksum(recipe, variants) for variants in [pair, *others]}
    assert len(checksums) == 1 + len(others)


def test_libraries_of_cuda_and_what_stays_out_change_it_only_where_they_are_asked_for(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    recipe, pair = make_recipe("numpy", TWIN), make_variants(PAIR)
    plain = checksum(recipe, pair)
    with_libraries = replace(recipe, cuda=LIBRARIES)
    other_cudnn = replace(pair[1], accelerator=replace(pair[1].accelerator, cudnn="9.1"))
    changed = [
        checksum(
            replace(recipe, without={"nvidia-cublas-cu12": Exclusion("apt", Place("x", 1, 1))}),
            pair,
        ),
        checksum(with_libraries, pair),
        checksum(replace(recipe, cuda=replace(LIBRARIES, dev=True)), pair),
        checksum(with_libraries, [pair[0], other_cudnn]),
    ]
    assert len({plain, *changed}) == 1 + len(changed)
    assert checksum(with_libraries, pair[:1]) == checksum(recipe, pair[:1])
    assert checksum(recipe, [pair[0], other_cudnn]) == plain


def test_a_bases_checksum_follows_its_source_only(make_variants: Variants) -> None:
    base = make_variants(PAIR)[0].base
    snapshot = replace(base, source=Bootstrap("bookworm", "20260101T000000Z", ()))
    assert base_checksum(replace(base, place=Place("x", 9, 9))) == base_checksum(base)
    assert base_checksum(snapshot) != base_checksum(base)


def test_an_override_counts_for_its_variants_and_only_if_it_changes_what_is_locked(
    make_recipe: Recipes, make_variants: Variants, make_override: Overrides
) -> None:
    recipe, (cpu, cuda) = make_recipe("numpy", TWIN), make_variants(PAIR)

    def with_override(override: Override) -> str:
        return checksum(recipe, [cpu, replace(cuda, overrides=(override,))])

    plain = checksum(recipe, [cpu, cuda])
    assert with_override(make_override(env={"A": "1"})) == plain
    system = SystemPackages((AptPackage("libgomp1"),), ())
    changed = [
        with_override(make_override("numpy<2")),
        with_override(make_override("numpy<3")),
        with_override(make_override("scipy")),
        with_override(make_override(system=system)),
        checksum(recipe, [replace(cpu, overrides=(make_override("scipy"),)), cuda]),
    ]
    assert len({plain, *changed}) == len(changed) + 1


def test_the_checksum_of_a_project_without_overrides_is_that_of_before_there_were_any(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    # committed locks hold such checksums: a new one would make all of them stale
    recipe = make_recipe("numpy", TWIN)
    assert checksum(recipe, make_variants(PAIR)) == CHECKSUM_BEFORE_OVERRIDES
