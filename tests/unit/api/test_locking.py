from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.unit.world import BASE, MOVED_BASE, wheel
from twinforge.api import locking
from twinforge.api.locking import check_locks, lock_recipes
from twinforge.errors import StaleError
from twinforge.lock.document import read_bases, read_recipe_lock, write_bases, write_recipe_lock
from twinforge.lock.locked import COMMON, BaseLock, Deb, RecipeLock, VariantLock
from twinforge.lock.resolve import Upgrade

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.unit.world import World
    from twinforge.model.matrix import Base
    from twinforge.model.recipe import Recipe
    from twinforge.model.variant import Variant

NOTHING, EVERYTHING = Upgrade(), Upgrade(everything=True)


class Pinning:
    """Stands in for what asks mirrors, registries and indexes; remembers what it was asked."""

    def __init__(self) -> None:
        self.pinned: list[str] = []
        self.glibc: list[str] = []
        self.digest = MOVED_BASE

    def pin_base(self, base: Base, **options: object) -> BaseLock:
        assert set(options) == {"engine", "cache_dir", "listener"}
        self.pinned.append(base.name)
        return BaseLock(base.name, "bootstrap", self.digest, {"libc6": "2.36-9"}, "")

    def lock_recipe(
        self,
        recipe: Recipe,
        variants: Sequence[Variant],
        *,
        glibc: Callable[[Variant], str],
        **options: object,
    ) -> RecipeLock:
        assert set(options) == {"resolver", "apt", "previous", "upgrade"}
        self.glibc = [glibc(variant) for variant in variants]
        apt = (Deb("libgomp1", "13"),)
        wheels = (replace(wheel("numpy", COMMON), version="2.0"),)
        locked = tuple(VariantLock(one.slug, one.base.name, apt, wheels) for one in variants)
        return RecipeLock(recipe.name, "0" * 64, locked)


@pytest.fixture
def pinning(monkeypatch: pytest.MonkeyPatch) -> Pinning:
    found = Pinning()
    monkeypatch.setattr(locking, "pin_base", found.pin_base)
    monkeypatch.setattr(locking, "lock_recipe", found.lock_recipe)
    return found


def test_a_lock_that_belongs_to_its_recipe_is_right(world: World) -> None:
    check_locks(world.workspace, ["words", "other"])


def test_everything_that_is_stale_is_named_at_once(world: World) -> None:
    (world.root / "images/other/lock.json").unlink()
    world.edit("recipes/words.yaml", "packages: [libgomp1]", "packages: [libgomp1, curl]")
    world.edit("matrix.yaml", "{bootstrap: bookworm}", "{bootstrap: bookworm, packages: [curl]}")
    with pytest.raises(StaleError) as caught:
        check_locks(world.workspace, ["other", "words"])
    assert caught.value.message == (
        "the recipe 'other' is not locked; "
        "the base 'debian-12' is not locked as the matrix declares it; "
        "the lock of 'words' is stale: its recipe or the matrix has changed"
    )
    assert caught.value.hint == "run `twinforge lock` and commit the result"


def test_a_lock_that_was_edited_is_told_from_one_that_was_written(world: World) -> None:
    lock = read_recipe_lock(world.root, "words")
    assert lock is not None
    first, *others = lock.variants
    changed = replace(first, wheels=(replace(wheel("numpy", COMMON), sha256="0" * 64),))
    write_recipe_lock(world.root, replace(lock, variants=(changed, *others)))
    world.again()
    with pytest.raises(
        StaleError, match=r"'words' is not as it was written: 'numpy' 1\.0 is"
    ) as it:
        check_locks(world.workspace, ["words"])
    assert it.value.hint == "run `twinforge lock` and commit the result"


def test_what_decides_nothing_in_a_lock_does_not_make_it_stale(world: World) -> None:
    world.edit("recipes/words.yaml", "version: 1.0.0", "version: 2.0.0\ndescription: New.")
    check_locks(world.workspace, ["words"])


def test_a_base_stays_pinned_while_its_declaration_stays(world: World, pinning: Pinning) -> None:
    lock_recipes(world.workspace, ["words"], NOTHING)
    assert pinning.pinned == []
    assert read_bases(world.root)["debian-12"].digest == BASE


def test_a_base_is_pinned_again_when_everything_is_upgraded(world: World, pinning: Pinning) -> None:
    lock_recipes(world.workspace, ["words", "other"], EVERYTHING)
    assert pinning.pinned == ["debian-12"]
    assert read_bases(world.root)["debian-12"].digest == MOVED_BASE
    world.again()
    assert world.workspace.base_locks["debian-12"].inputs != ""


def test_a_base_is_pinned_again_when_its_declaration_changed(
    world: World, pinning: Pinning
) -> None:
    world.edit("matrix.yaml", "{bootstrap: bookworm}", "{bootstrap: bookworm, packages: [curl]}")
    lock_recipes(world.workspace, ["words"], NOTHING)
    assert pinning.pinned == ["debian-12"]


def test_a_base_that_no_registry_had_is_tried_again(world: World, pinning: Pinning) -> None:
    known = read_bases(world.root)["debian-12"]
    write_bases(world.root, {known.name: replace(known, kind="image", digest="", reason="away")})
    world.again()
    lock_recipes(world.workspace, ["words"], NOTHING)
    assert pinning.pinned == ["debian-12"]


def test_the_glibc_that_wheels_must_fit_is_that_of_the_pinned_base(
    world: World, pinning: Pinning
) -> None:
    lock_recipes(world.workspace, ["words"], NOTHING)
    assert pinning.glibc == ["2.36", "2.36"]


def test_changes_are_told_one_line_each(world: World, pinning: Pinning) -> None:
    assert pinning.pinned == []
    (locked,) = lock_recipes(world.workspace, ["words"], NOTHING)
    assert locked.changes == (
        "libgomp1: 12.2.0-14 -> 13",
        "numpy: 1.0 -> 2.0",
        "xgboost-cpu: 1.0 -> gone",
        "xgboost-cu129: 1.0 -> gone",
    )
    assert read_recipe_lock(world.root, "words") == locked.lock


def test_a_first_lock_calls_everything_new(world: World, pinning: Pinning, project: Path) -> None:
    assert pinning.pinned == []
    (project / "images/words/lock.json").unlink()
    world.again()
    (locked,) = lock_recipes(world.workspace, ["words"], NOTHING)
    assert locked.changes == ("libgomp1: new -> 13", "numpy: new -> 2.0")
