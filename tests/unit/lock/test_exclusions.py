"""What stays out must be something that would have come in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from twinforge.errors import LockError
from twinforge.lock.exclusions import refuse_idle_exclusions
from twinforge.lock.locked import COMMON, RecipeLock, VariantLock, Wheel
from twinforge.lock.resolver import Conflict, Resolved, Target
from twinforge.model.place import Place
from twinforge.model.recipe import Exclusion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from twinforge.model.recipe import Recipe
    from twinforge.model.variant import Variant

    Recipes = Callable[..., Recipe]
    Variants = Callable[..., tuple[Variant, ...]]

PAIR = {"cpu": "", "cu118": "11.8"}
TWIN = {"cpu": "boost-cpu", "cuda": "boost"}
GRAPH = {
    "boost-cpu": ["numpy"],
    "boost": ["numpy", "nvidia-cudnn"],
    "nvidia-cudnn": ["nvidia-cublas"],
    "nvidia-cublas": ["nvidia-nvrtc"],
    "nvidia-nvrtc": [],
    "numpy": [],
    "nvidia-nccl": [],
}


@dataclass
class Graph:
    """An index with one version of everything; ``gone`` is asked for and there is no wheel of it."""

    gone: frozenset[str] = frozenset()
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def compile(  # noqa: PLR0913 - as the protocol has it
        self,
        requirements: Sequence[str],
        constraints: Sequence[str],
        target: Target,
        *,
        preferences: Mapping[str, str],
        indexes: Sequence[str],
        without: Sequence[str] = (),
        homes: Sequence[tuple[str, str]] = (),
    ) -> tuple[Resolved, ...] | Conflict:
        del constraints, preferences, indexes, homes
        assert target == Target("3.11", "2.36")
        self.asked.append(tuple(without))
        found: set[str] = set()
        todo = [Requirement(text).name for text in requirements]
        while todo:
            name = todo.pop()
            if name in found or name in without:
                continue
            if name in self.gone:
                return Conflict(f"there is no wheel of {name}")
            found.add(name)
            todo += GRAPH[name]
        return tuple(Resolved(one, "1.0", f"{one}.whl", _sha256(one), 1) for one in sorted(found))


def _sha256(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def excluding(recipe: Recipe, *names: str, path: str = "recipes/digits.yaml") -> Recipe:
    """Return a recipe that keeps packages out, the first in line 9."""
    entries = {name: Exclusion("apt", Place(path, 9 + n, 5)) for n, name in enumerate(names)}
    return replace(recipe, without={**recipe.without, **entries})


def refuse(recipe: Recipe, variants: Sequence[Variant], graph: Graph) -> None:
    """Lock the variants by the graph, then look at what stays out."""
    locked = []
    for variant in variants:
        root = "boost" if variant.accelerator.cuda else "boost-cpu"
        wheels = graph.compile(
            [root],
            [],
            Target("3.11", "2.36"),
            preferences={},
            indexes=(),
            without=tuple(recipe.without),
        )
        assert not isinstance(wheels, Conflict)
        held = (Wheel(one.name, one.version, one.filename, one.sha256, 1, COMMON) for one in wheels)
        locked.append(VariantLock(variant.slug, variant.base.name, (), tuple(held)))
    lock = RecipeLock(recipe.name, "0" * 64, tuple(locked))
    refuse_idle_exclusions(recipe, variants, lock, resolver=graph, glibc=lambda _: "2.36")


def test_what_one_variant_would_install_is_right(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    recipe = excluding(make_recipe(TWIN), "nvidia-cublas")
    refuse(recipe, make_variants(PAIR), Graph())


def test_what_no_variant_would_install_is_refused_with_the_place_of_the_entry(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    recipe = excluding(make_recipe(TWIN), "nvidia-cublas", "flatbuffers", "tensorboard")
    with pytest.raises(LockError) as caught:
        refuse(recipe, make_variants(PAIR), Graph())
    assert caught.value.message == (
        "recipes/digits.yaml:10:5: 'flatbuffers' stays out, and no variant of 'digits' would "
        "install it; recipes/digits.yaml:11:5: 'tensorboard' stays out, and no variant of 'digits' "
        "would install it"
    )
    assert caught.value.hint == "take the entry out of python.without, or correct its name"


def test_a_misspelt_name_is_answered_with_the_package_that_came_in_instead(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    recipe = excluding(make_recipe(TWIN), "nvidia-cublass")
    with pytest.raises(LockError, match=r"install it; did you mean 'nvidia-cublas'\?$"):
        refuse(recipe, make_variants(PAIR), Graph())


def test_what_only_an_excluded_package_would_bring_is_out_already(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    recipe = excluding(make_recipe(TWIN), "nvidia-cublas", "nvidia-nvrtc")
    with pytest.raises(LockError, match=r"^recipes/digits\.yaml:10:5: 'nvidia-nvrtc' stays out"):
        refuse(recipe, make_variants(PAIR), Graph())


def test_what_stays_out_since_there_is_no_wheel_of_it_is_asked_for(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    recipe = excluding(make_recipe(TWIN), "nvidia-cublas")
    refuse(recipe, make_variants(PAIR), Graph(gone=frozenset({"nvidia-cublas"})))


def test_the_variant_is_asked_once_more_with_that_one_entry_lifted(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    graph = Graph()
    recipe = excluding(make_recipe(TWIN), "nvidia-cublas", "nvidia-cudnn")
    with pytest.raises(LockError, match="'nvidia-cublas'"):
        refuse(recipe, make_variants(PAIR), graph)
    locked, asked = graph.asked[:2], graph.asked[2:]
    assert locked == [("nvidia-cublas", "nvidia-cudnn")] * 2
    assert asked == [("nvidia-cudnn",)] * 2 + [("nvidia-cublas",)] * 2


def test_what_a_recipe_has_from_another_one_is_not_its_own_to_take_out(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    graph = Graph()
    recipe = excluding(make_recipe("boost-cpu"), "nvidia-nccl", path="recipes/parent.yaml")
    refuse(recipe, make_variants({"cpu": ""}), graph)
    assert len(graph.asked) == 1
