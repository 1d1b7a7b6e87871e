"""``lock`` refuses a package that stays out of nothing, before it writes a lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twinforge.api import locking
from twinforge.api.locking import lock_recipes
from twinforge.errors import LockError
from twinforge.lock.locked import Deb
from twinforge.lock.resolve import Upgrade
from twinforge.lock.resolver import Resolved

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.unit.world import World
    from twinforge.lock.resolver import Target
    from twinforge.model.recipe import AptPackage
    from twinforge.model.variant import Variant

LINES = "python: {packages: [boost], without: {nccl: from apt, nvtx: from apt}}\nprogram: program\n"


class Index:
    """Has boost, which asks for nccl."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        assert environment is not None

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
    ) -> tuple[Resolved, ...]:
        del constraints, target, preferences, indexes, homes
        names = [*requirements, "nccl"] if "boost" in requirements else requirements
        kept = sorted(name for name in names if name not in without)
        return tuple(Resolved(one, "1.0", f"{one}-1.0.whl", "a" * 64, 1) for one in kept)


class Apt:
    """Adds nothing to what it is asked for."""

    def __init__(self, *args: object, **options: object) -> None:
        del args, options

    def closure(self, variant: Variant, packages: Sequence[AptPackage]) -> tuple[Deb, ...]:
        del variant
        return tuple(Deb(package.name, package.version) for package in packages)


@pytest.fixture
def lockable(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(locking, "UvResolver", Index)
    monkeypatch.setattr(locking, "ContainerApt", Apt)
    world.edit("recipes/words.yaml", "program: program\n", LINES)
    return world


def test_it_is_named_with_its_place_and_the_lock_stays_as_it_was(lockable: World) -> None:
    lock = lockable.root / "images/words/lock.json"
    before = lock.read_bytes()
    with pytest.raises(LockError) as caught:
        lock_recipes(lockable.workspace, ["words"], Upgrade())
    assert caught.value.message.startswith(
        "recipes/words.yaml:4:55: 'nvtx' stays out, and no variant of 'words' would install it"
    )
    assert lock.read_bytes() == before


def test_the_entry_that_keeps_something_out_is_right(lockable: World) -> None:
    lockable.edit("recipes/words.yaml", ", nvtx: from apt", "")
    (locked,) = lock_recipes(lockable.workspace, ["words"], Upgrade())
    assert {wheel.name for one in locked.lock.variants for wheel in one.wheels} == {"boost"}


def test_what_shelved_variants_might_install_is_not_refused(lockable: World) -> None:
    shelf = "shelved: [{when: kind == cuda, reason: its index is out of reach}]\nprogram: program\n"
    lockable.edit("recipes/words.yaml", "program: program\n", shelf)
    (locked,) = lock_recipes(lockable.workspace, ["words"], Upgrade())
    assert [one.slug for one in locked.lock.variants] == ["cpu-debian12-py3.11"]
