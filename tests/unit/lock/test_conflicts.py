from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.unit.lock.world import BOOST, PAIR, TWIN, Apt, Index, World, groups, locked, versions
from twinforge.errors import LockError
from twinforge.lock.resolve import Conflict, Resolved, Target, Upgrade, lock_recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from twinforge.model.recipe import Recipe
    from twinforge.model.variant import Variant

    Recipes = Callable[..., Recipe]
    Variants = Callable[..., tuple[Variant, ...]]


def test_a_requirement_without_an_answer_is_named_with_its_line(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    recipe = make_recipe("numpy", TWIN | {"version": "==3.3"})
    with pytest.raises(LockError) as caught:
        locked(World(BOOST), recipe, make_variants(PAIR))
    assert caught.value.message == (
        "recipes/digits.yaml:2:5: 'boost==3.3' of digits/cu129-py3.11 has no answer for "
        "Python 3.11 on x86-64 Linux with glibc 2.36: no versions satisfy boost==3.3"
    )
    assert "wheels" in caught.value.hint


def test_requirements_of_one_variant_that_exclude_each_other_are_named(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    recipe = make_recipe("numpy>=2", "nccl", TWIN | {"version": "==3.1"})
    with pytest.raises(LockError) as caught:
        locked(World(BOOST), recipe, make_variants(PAIR))
    message = caught.value.message
    assert message.startswith(
        "digits/cu129-py3.11 can't have 'boost==3.1' (recipes/digits.yaml:3:5) and "
        "'numpy>=2' (recipes/digits.yaml:1:5) together"
    )
    assert "nccl" not in message.partition(": ")[0]


def test_twins_without_a_common_version_are_named_with_their_line(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    world: Index = {"a-cpu": {"1.0": [], "3.0": []}, "a": {"2.0": []}, "numpy": {"1": []}}
    recipe = make_recipe("numpy", {"cpu": "a-cpu", "cuda": "a"})
    with pytest.raises(LockError) as caught:
        locked(World(world), recipe, make_variants(PAIR))
    assert caught.value.message.startswith(
        "recipes/digits.yaml:2:5: the twins 'a' and 'a-cpu' have no version in common for "
    )


OLD: Index = {
    "numpy": BOOST["numpy"],
    "b-cpu": {"1.0": ["numpy>=2"]},
    "b": {"1.0": ["numpy<2"]},
    "c": {"1.0": []},
}


def test_what_prevents_parity_is_named_with_what_would_differ(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    recipe = make_recipe("c", {"cpu": "b-cpu", "cuda": "b"}, "numpy")
    with pytest.raises(LockError) as caught:
        locked(World(OLD), recipe, make_variants(PAIR))
    assert caught.value.message == (
        "digits: cpu-py3.11 and cu129-py3.11 can't have the same versions: parity is possible only "
        "without 'b' (recipes/digits.yaml:2:5) or 'b-cpu' (recipes/digits.yaml:2:5); "
        "'numpy' would be 2.0 in cpu-py3.11 and 1.1 in cu129-py3.11; "
        "no versions satisfy b and b-cpu and c and numpy"
    )
    assert "parity.exempt" in caught.value.hint


def test_an_exempt_package_may_differ_and_nothing_else(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    world: Index = {
        **OLD,
        "b-cpu": {"1.0": ["numpy>=2", "c"]},
        "b": {"1.0": ["numpy<2", "c<2"]},
        "c": {"1.0": [], "2.0": []},
    }
    recipe = make_recipe({"cpu": "b-cpu", "cuda": "b"}, exempt={"NumPy": "b is old"})
    lock = locked(World(world), recipe, make_variants(PAIR))
    assert versions(lock, "cpu-py3.11") == {"b-cpu": "1.0", "c": "1.0", "numpy": "2.0"}
    assert versions(lock, "cu129-py3.11") == {"b": "1.0", "c": "1.0", "numpy": "1.1"}
    assert groups(lock, "cpu-py3.11")["numpy"] == "device"
    assert groups(lock, "cpu-py3.11")["c"] == "common"


def test_exempting_one_package_does_not_excuse_another(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    recipe = make_recipe({"cpu": "b-cpu", "cuda": "b"}, "c", exempt={"c": "a reason"})
    with pytest.raises(LockError) as caught:
        locked(World(OLD), recipe, make_variants(PAIR))
    assert "'b-cpu' (recipes/digits.yaml:1:5)" in caught.value.message
    assert "'numpy' would be 2.0 in cpu-py3.11 and 1.1 in cu129-py3.11" in caught.value.message


def test_a_dependency_that_brings_the_other_half_of_a_twin_is_refused(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    world: Index = {**BOOST, "plugin": {"1.0": ["boost"]}}
    with pytest.raises(LockError, match=r"cpu-py3\.11 holds 'boost' and 'boost-cpu'"):
        locked(World(world), make_recipe("plugin", TWIN), make_variants(PAIR))


def test_a_direct_url_is_refused_with_its_line(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    recipe = make_recipe("numpy @ https://wheels.example.org/numpy-1.0-py3-none-any.whl")
    with pytest.raises(LockError, match=r"recipes/digits\.yaml:1:5: 'numpy' is a direct URL"):
        locked(World(BOOST), recipe, make_variants(PAIR))


def test_what_is_not_a_glibc_version_is_refused(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    with pytest.raises(LockError, match="'bookworm' is not a version of glibc"):
        lock_recipe(
            make_recipe("numpy"),
            make_variants(PAIR),
            resolver=World(BOOST),
            apt=Apt(),
            previous=None,
            upgrade=Upgrade(),
            glibc=lambda _: "bookworm",
        )


def test_a_resolver_that_breaks_parity_is_caught(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    class Careless(World):
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
            found = super().compile(
                requirements,
                constraints,
                target,
                preferences=preferences,
                indexes=indexes,
                without=without,
                homes=homes,
            )
            if isinstance(found, Conflict) or "boost" not in requirements:
                return found
            return tuple(replace(one, sha256="e" * 64) for one in found)

    with pytest.raises(LockError, match=r"has no parity: 'numpy' 1\.1 is"):
        locked(Careless(BOOST), make_recipe("numpy", TWIN), make_variants(PAIR))
