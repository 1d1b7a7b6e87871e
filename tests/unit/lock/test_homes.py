"""Packages that come from an index of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement

from tests.unit.lock.world import BOOST, PAIR, World, locked, versions
from twinforge.errors import IndexUnreachableError, LockError
from twinforge.lock.checksum import inputs_checksum
from twinforge.model.place import Place
from twinforge.model.recipe import Package

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twinforge.model.recipe import Override, Recipe
    from twinforge.model.variant import Variant

    Overrides = Callable[..., Override]
    Recipes = Callable[..., Recipe]
    Variants = Callable[..., tuple[Variant, ...]]

HOME = "https://wheels.example.org/whl/cpu"
WORLD = BOOST | {"torch": {"2.1.0": ["numpy"]}}


def with_torch(
    variants: Sequence[Variant], make_override: Overrides, index: str = HOME
) -> list[Variant]:
    """Give each variant its own build of torch; that for CPUs has an index."""

    def own(text: str, line: int, home: str) -> Override:
        package = Package(Requirement(text), Place("recipes/digits.yaml", line, 7), home)
        return replace(make_override(), packages=(package,))

    overrides = {
        "cpu": own("torch>=2.1", 60, index),
        "cuda": own("torch==2.1.0", 61, ""),
    }
    return [replace(one, overrides=(overrides[one.accelerator.kind],)) for one in variants]


def test_an_index_of_a_package_goes_with_the_variants_that_ask_for_it(
    make_recipe: Recipes, make_variants: Variants, make_override: Overrides
) -> None:
    world = World(WORLD)
    recipe = make_recipe("numpy", exempt={"torch": "a mark"})
    lock = locked(world, recipe, with_torch(make_variants(PAIR), make_override))
    assert versions(lock, "cpu-py3.11") == {"numpy": "2.0", "torch": "2.1.0"}
    assert versions(lock, "cu129-py3.11") == {"numpy": "2.0", "torch": "2.1.0"}
    asked = {
        requirements: homes
        for (requirements, *_), homes in zip(world.asked, world.homes, strict=True)
    }
    assert asked == {
        ("numpy", "torch>=2.1"): (("torch", HOME),),
        ("numpy", "torch==2.1.0"): (),
    }


def test_one_file_from_two_places_is_refused_unless_parity_is_not_asked_of_it(
    make_recipe: Recipes, make_variants: Variants, make_override: Overrides
) -> None:
    variants = with_torch(make_variants(PAIR), make_override)
    with pytest.raises(LockError) as caught:
        locked(World(WORLD), make_recipe("numpy"), variants)
    assert "'torch==2.1.0' (recipes/digits.yaml:61:7)" in caught.value.message
    assert "'torch>=2.1' (recipes/digits.yaml:60:7)" in caught.value.message
    assert "parity.exempt" in caught.value.hint


class Away(World):
    """A world whose own index is down."""

    def compile(self, *args: Any, **kwargs: Any) -> Any:
        indexes = {*kwargs["indexes"], *(index for _, index in kwargs.get("homes", ()))}
        if HOME in indexes:
            message = f"the index {HOME} is out of reach: no route"
            raise IndexUnreachableError(message, index=HOME, said="no route")
        return super().compile(*args, **kwargs)


@pytest.mark.parametrize(
    ("accelerators", "condition"),
    [
        ({"cpu": "", "cu129": "12.9"}, "kind == cpu"),
        ({"cpu": "", "cpu2": "", "cu129": "12.9"}, "kind == cpu"),
    ],
)
def test_an_index_that_is_away_is_told_with_the_variants_and_what_goes_on_without(
    make_recipe: Recipes,
    make_variants: Variants,
    make_override: Overrides,
    accelerators: dict[str, str],
    condition: str,
) -> None:
    variants = with_torch(make_variants(accelerators), make_override)
    with pytest.raises(IndexUnreachableError) as caught:
        locked(Away(WORLD), make_recipe("numpy", exempt={"torch": "a mark"}), variants)
    ids = " and ".join(one.id for one in variants if one.accelerator.kind == "cpu")
    assert caught.value.message == (
        f"recipes/digits.yaml:60:7: the index {HOME}, which {ids} can't be locked without, "
        "is out of reach: no route"
    )
    assert f"with digits/cu129-py3.11 alone, add `shelved: [{{when: {condition}," in (
        caught.value.hint
    )


def test_only_the_accelerators_that_need_it_are_to_be_shelved_where_others_are_of_their_kind(
    make_recipe: Recipes, make_variants: Variants, make_override: Overrides
) -> None:
    cpu, first, second = make_variants({"cpu": "", "cu118": "11.8", "cu129": "12.9"})
    needing = replace(first, overrides=(replace(make_override(), indexes=(HOME,)),))
    with pytest.raises(IndexUnreachableError) as caught:
        locked(Away(WORLD), make_recipe("numpy"), [cpu, needing, second])
    assert '{when: "accelerator in [cu118]", reason:' in caught.value.hint


def test_an_index_that_all_need_leaves_nothing_to_go_on_with(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    with pytest.raises(IndexUnreachableError) as caught:
        locked(Away(WORLD), make_recipe("numpy", indexes=(HOME,)), make_variants(PAIR))
    assert "shelved" not in caught.value.hint
    assert caught.value.message.startswith("recipes/digits.yaml:1:1: the index ")


def test_another_index_makes_a_lock_stale(
    make_recipe: Recipes, make_variants: Variants, make_override: Overrides
) -> None:
    variants = make_variants(PAIR)
    bases = {one.base.name: one.base for one in variants}
    recipe = make_recipe("numpy", exempt={"torch": "a mark"})
    checksums = {
        inputs_checksum(recipe, with_torch(variants, make_override, index), bases)
        for index in ("", HOME, f"{HOME}/mirror")
    }
    assert len(checksums) == 3
