from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.lock.world import BOOST, PAIR, TWIN, World, groups, locked, versions
from twinforge.errors import LockError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twinforge.model.recipe import Override, Recipe
    from twinforge.model.variant import Variant

    Overrides = Callable[..., Override]
    Recipes = Callable[..., Recipe]
    Variants = Callable[..., tuple[Variant, ...]]


def overridden(variants: Sequence[Variant], slug: str, *overrides: Override) -> list[Variant]:
    return [replace(v, overrides=overrides) if v.slug == slug else v for v in variants]


def test_an_override_s_package_is_in_its_variant_only_and_its_siblings_still_match(
    make_recipe: Recipes, make_variants: Variants, make_override: Overrides
) -> None:
    variants = make_variants(PAIR, pythons=("3.11", "3.12"))
    variants_with = overridden(variants, "cu129-py3.11", make_override("nccl", "numpy<1.1"))
    lock = locked(World(BOOST), make_recipe("numpy"), variants_with)
    assert versions(lock, "cu129-py3.11") == {"numpy": "1.0", "nccl": "2.3"}
    assert versions(lock, "cpu-py3.11") == {"numpy": "1.0"}
    # no siblings of theirs
    assert versions(lock, "cpu-py3.12") == versions(lock, "cu129-py3.12") == {"numpy": "2.0"}
    assert groups(lock, "cu129-py3.11") == {"numpy": "common", "nccl": "device"}


def test_a_twin_that_an_override_gives_to_one_sibling_is_not_missing_in_the_other(
    make_recipe: Recipes, make_variants: Variants, make_override: Overrides
) -> None:
    variants = overridden(make_variants(PAIR), "cu129-py3.11", make_override(TWIN))
    lock = locked(World(BOOST), make_recipe("numpy"), variants)
    assert versions(lock, "cpu-py3.11") == {"numpy": "2.0"}
    assert versions(lock, "cu129-py3.11") == {"boost": "3.4", "nccl": "2.3", "numpy": "2.0"}


def test_overrides_that_exclude_each_other_between_siblings_are_named_with_their_line(
    make_recipe: Recipes, make_variants: Variants, make_override: Overrides
) -> None:
    variants = overridden(make_variants(PAIR), "cu129-py3.11", make_override("numpy<2"))
    with pytest.raises(LockError) as caught:
        locked(World(BOOST), make_recipe("numpy>=2"), variants)
    assert "'numpy<2' (recipes/digits.yaml:50:5)" in caught.value.message
    assert "'numpy>=2' (recipes/digits.yaml:1:5)" in caught.value.message
    exempt = make_recipe("numpy>=2", exempt={"numpy": "the old one there"})
    lock = locked(World(BOOST), exempt, variants)
    assert versions(lock, "cpu-py3.11")["numpy"] == "2.0"
    assert versions(lock, "cu129-py3.11")["numpy"] == "1.1"


def test_siblings_ask_the_indexes_of_all_of_them(
    make_recipe: Recipes, make_variants: Variants, make_override: Overrides
) -> None:
    asked: list[tuple[str, ...]] = []

    class Listening(World):
        def compile(self, *args: Any, indexes: Sequence[str], **kwargs: Any) -> Any:
            asked.append(tuple(indexes))
            return super().compile(*args, indexes=indexes, **kwargs)

    cpu, cuda = make_variants(PAIR)
    own = replace(make_override(), indexes=("https://cpu.example/simple",))
    recipe = make_recipe("numpy", TWIN, indexes=("https://all.example/simple",))
    locked(Listening(BOOST), recipe, [replace(cpu, overrides=(own,)), cuda])
    assert set(asked) == {("https://all.example/simple", "https://cpu.example/simple")}
