from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.unit.lock.world import BOOST, PAIR, TWIN, Apt, World, groups, locked, versions
from twinforge.lock.checksum import inputs_checksum
from twinforge.lock.parity import parity_problems
from twinforge.lock.resolve import Target, Upgrade, lock_problems, lock_recipe
from twinforge.model.place import Place
from twinforge.model.recipe import Exclusion, Twin

if TYPE_CHECKING:
    from collections.abc import Callable

    from twinforge.model.recipe import Recipe
    from twinforge.model.variant import Variant

    Recipes = Callable[..., Recipe]
    Variants = Callable[..., tuple[Variant, ...]]


def test_twins_get_the_newest_version_that_all_of_them_have(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    lock = locked(World(BOOST), make_recipe("numpy", TWIN), make_variants(PAIR))
    assert versions(lock, "cpu-py3.11") == {"boost-cpu": "3.1", "numpy": "1.1"}
    assert versions(lock, "cu129-py3.11") == {"boost": "3.1", "nccl": "2.3", "numpy": "1.1"}


def test_equal_wheels_are_common_and_the_rest_belong_to_the_device(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    lock = locked(World(BOOST), make_recipe("numpy", TWIN), make_variants(PAIR))
    assert groups(lock, "cpu-py3.11") == {"boost-cpu": "device", "numpy": "common"}
    assert groups(lock, "cu129-py3.11") == {"boost": "device", "nccl": "device", "numpy": "common"}


def test_a_third_sibling_does_not_loosen_the_match(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    three = make_variants({**PAIR, "cu118": "11.8"})
    recipe = make_recipe(TWIN)
    lock = locked(World(BOOST), recipe, three)
    twins = [one for one in recipe.packages if isinstance(one, Twin)]
    assert parity_problems(lock.variants, twins, []) == ()
    assert [one.slug for one in lock.variants] == ["cpu-py3.11", "cu129-py3.11", "cu118-py3.11"]


def test_each_python_is_resolved_for_itself_and_keeps_declared_order(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    world = World(BOOST)
    variants = make_variants(PAIR, pythons=("3.12", "3.11"))
    lock = locked(world, make_recipe("numpy"), variants)
    assert [one.slug for one in lock.variants] == [one.slug for one in variants]
    assert {target for _, _, target in world.asked} == {
        Target("3.11", "2.36"),
        Target("3.12", "2.36"),
    }


def test_siblings_on_different_bases_share_the_oldest_glibc(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    world = World(BOOST)
    lock_recipe(
        make_recipe(TWIN),
        make_variants(PAIR),
        resolver=world,
        apt=Apt(),
        previous=None,
        upgrade=Upgrade(),
        glibc=lambda one: "2.9" if one.accelerator.cuda else "2.36",
    )
    assert {target.glibc for _, _, target in world.asked} == {"2.9"}


def test_previous_versions_stay_until_they_are_upgraded(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    recipe, variants = make_recipe("numpy", TWIN), make_variants(PAIR)
    before = {name: dict(found) for name, found in BOOST.items()}
    del before["boost-cpu"]["3.1"], before["numpy"]["1.1"], before["numpy"]["2.0"]
    old = locked(World(before), recipe, variants)
    assert versions(old, "cpu-py3.11") == {"boost-cpu": "3.0", "numpy": "1.0"}
    assert locked(World(BOOST), recipe, variants, old) == old
    numpy = locked(World(BOOST), recipe, variants, old, Upgrade.of(["NumPy"]))
    assert versions(numpy, "cpu-py3.11") == {"boost-cpu": "3.0", "numpy": "2.0"}
    twin = locked(World(BOOST), recipe, variants, old, Upgrade.of(["boost"]))
    assert versions(twin, "cpu-py3.11") == {"boost-cpu": "3.1", "numpy": "1.0"}
    new = locked(World(BOOST), recipe, variants, old, Upgrade(everything=True))
    assert new == locked(World(BOOST), recipe, variants)


def test_a_new_sibling_takes_the_versions_of_the_old_ones(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    world, recipe = World(BOOST), make_recipe("numpy<2", exempt={"other": "x"})
    old = locked(world, make_recipe("numpy<1.1"), make_variants({"cpu": ""}))
    new = locked(world, recipe, make_variants(PAIR), old)
    assert versions(new, "cu129-py3.11") == {"numpy": "1.0"}


def test_a_twin_is_not_held_at_a_version_that_its_other_half_lost(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    recipe, variants = make_recipe("numpy<2", TWIN | {"version": ">=3"}), make_variants(PAIR)
    before = {name: dict(found) for name, found in BOOST.items()}
    del before["boost-cpu"]["3.1"], before["numpy"]["1.1"]
    old = locked(World(before), recipe, variants)
    assert versions(old, "cpu-py3.11") == {"boost-cpu": "3.0", "numpy": "1.0"}
    after = {name: dict(found) for name, found in BOOST.items()}
    del after["boost-cpu"]["3.0"]
    new = locked(World(after), recipe, variants, old)
    assert versions(new, "cpu-py3.11") == {"boost-cpu": "3.1", "numpy": "1.0"}


def test_an_upgrade_of_what_no_lock_holds_is_seen(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    lock = locked(World(BOOST), make_recipe("numpy"), make_variants(PAIR))
    assert Upgrade.of(["numpy", "NumPi"]).unmatched([lock]) == ("numpi",)


def test_what_stays_out_reaches_the_resolver_in_every_question(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    world = World(BOOST)
    reason = Exclusion("reason", Place("x", 1, 1))
    recipe = replace(make_recipe("numpy", TWIN), without={"b": reason, "a": reason})
    locked(world, recipe, make_variants(PAIR))
    assert set(world.left_out) == {("a", "b")}


def test_the_lock_carries_the_checksum_of_its_inputs(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    recipe, variants = make_recipe("numpy"), make_variants(PAIR)
    lock = locked(World(BOOST), recipe, variants)
    assert lock.checksum == inputs_checksum(recipe, variants, {"debian-12": variants[0].base})


def test_another_cpu_architecture_is_resolved_for_itself_and_takes_the_same_versions(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    amd64 = make_variants(PAIR)
    arm64 = tuple(replace(one, values=(*one.values, ("arch", "arm64"))) for one in amd64[:1])
    world = World(BOOST)
    lock = locked(world, make_recipe("numpy", TWIN), (*amd64, *arm64))
    assert {target.cpu_arch for _, _, target in world.asked} == {"amd64", "arm64"}
    # alone it would have boost-cpu 3.3 and numpy 2.0
    assert versions(lock, "cpu-py3.11-arm64") == {"boost-cpu": "3.1", "numpy": "1.1"}
    assert versions(
        locked(World(BOOST), make_recipe("numpy", TWIN), arm64), "cpu-py3.11-arm64"
    ) == {
        "boost-cpu": "3.3",
        "numpy": "2.0",
    }


def test_a_lock_of_our_writing_has_no_problems(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    recipe, variants = make_recipe("NumPy<2", TWIN), make_variants(PAIR, pythons=("3.12", "3.11"))
    lock = locked(World(BOOST), recipe, variants)
    assert lock_problems(recipe, variants, lock) == ()
    marked = make_recipe("NumPy<2", "absent; python_version < '3'", TWIN)
    assert lock_problems(marked, variants, lock) == ()


def test_what_a_hand_broke_in_a_lock_is_named(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    recipe, variants = make_recipe("numpy<2", TWIN), make_variants(PAIR)
    lock = locked(World(BOOST), recipe, variants)
    cpu, cuda = lock.variants
    gone = replace(cpu, wheels=tuple(one for one in cpu.wheels if one.name != "numpy"))
    newer = replace(
        cuda,
        wheels=tuple(
            replace(one, version="2.0") if one.name == "numpy" else one for one in cuda.wheels
        ),
    )
    place = recipe.packages[0].place
    assert lock_problems(recipe, variants, replace(lock, variants=(gone, newer))) == (
        f"'cpu-py3.11' has no numpy, which 'numpy<2' ({place}) asks for",
        f"'cu129-py3.11' has numpy 2.0, which 'numpy<2' ({place}) asks for",
    )
    assert lock_problems(recipe, variants, replace(lock, variants=(cpu, newer)))[-1] == (
        "'numpy' is 1.1 in cpu-py3.11 and 2.0 in cu129-py3.11"
    )


def test_a_lock_holds_the_variants_that_there_are(
    make_recipe: Recipes, make_variants: Variants
) -> None:
    recipe, variants = make_recipe("numpy"), make_variants(PAIR)
    lock = locked(World(BOOST), recipe, variants)
    assert lock_problems(recipe, variants[:1], lock) == ("there is no variant 'cu129-py3.11'",)
    assert lock_problems(recipe, variants, replace(lock, variants=lock.variants[:1])) == (
        "it lacks the variant 'cu129-py3.11'",
    )
