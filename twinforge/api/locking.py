"""``lock``: pin bases, Debian packages and wheels of a recipe's variants; say when that is stale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from twinforge.build.apt import ContainerApt
from twinforge.build.bases import pin_base
from twinforge.errors import StaleError
from twinforge.lock.checksum import base_checksum, inputs_checksum
from twinforge.lock.document import write_bases, write_recipe_lock
from twinforge.lock.exclusions import refuse_idle_exclusions
from twinforge.lock.resolve import Upgrade, lock_problems, lock_recipe
from twinforge.lock.uv import UvResolver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinforge.api.workspace import Workspace
    from twinforge.lock.locked import BaseLock, RecipeLock
    from twinforge.model.matrix import Base
    from twinforge.model.variant import Variant

__all__ = ["Locked", "check_locks", "lock_recipes"]


@dataclass(frozen=True, slots=True)
class Locked:
    """A recipe's lock and how it differs from the one before: one line per change."""

    lock: RecipeLock
    changes: tuple[str, ...]


def check_locks(workspace: Workspace, recipes: Sequence[str]) -> None:
    """See whether the committed locks still belong to their inputs, and are whole.

    Reads files only.

    Raises:
        StaleError: One or more do not, or are missing; all are named.
    """
    stale: list[str] = []
    bases = {base.name: base for base in workspace.project.matrix.bases}
    for name in recipes:
        variants = _variants(workspace, name)
        lock = workspace.lock_of(name)
        if not variants:  # all of them are excluded: it is there for others to extend
            continue
        if lock is None:
            stale.append(f"the recipe '{name}' is not locked")
        elif lock.checksum != inputs_checksum(workspace.project.recipe(name), variants, bases):
            stale.append(f"the lock of '{name}' is stale: its recipe or the matrix has changed")
        else:
            problems = lock_problems(workspace.project.recipe(name), variants, lock)
            stale += [f"the lock of '{name}' is not as it was written: {one}" for one in problems]
        for base in _bases(variants):
            pinned = workspace.base_locks.get(base.name)
            if pinned is None or pinned.inputs != base_checksum(base):
                stale.append(f"the base '{base.name}' is not locked as the matrix declares it")
    if stale:
        message = "; ".join(dict.fromkeys(stale))
        raise StaleError(message, hint="run `twinforge lock` and commit the result")


def lock_recipes(
    workspace: Workspace, recipes: Sequence[str], upgrade: Upgrade
) -> tuple[Locked, ...]:
    """Lock recipes: what is pinned stays unless its inputs changed or ``upgrade`` says so.

    A base that could not be pinned before is tried again.

    Raises:
        LockError: Versions can't be resolved, or not with parity, or a package stays out that
            nothing would bring in.
    """
    bases = {base.name: base for base in workspace.project.matrix.bases}
    pinned = dict(workspace.base_locks)
    used = {base.name: base for name in recipes for base in _bases(_variants(workspace, name))}
    # a recipe without variants is there for others to extend
    locked = [name for name in recipes if _variants(workspace, name)]
    for base in used.values():
        known = pinned.get(base.name)
        is_known = known is not None and known.digest and known.inputs == base_checksum(base)
        if upgrade.everything or not is_known:
            lock = pin_base(
                base,
                engine=workspace.engine,
                cache_dir=workspace.cache_dir,
                listener=workspace.listener,
            )
            pinned[base.name] = replace(lock, inputs=base_checksum(base))
    write_bases(workspace.root, {name: pinned[name] for name in bases if name in pinned})
    return tuple(_lock_one(workspace, name, pinned, upgrade) for name in locked)


def _lock_one(
    workspace: Workspace,
    name: str,
    pinned: dict[str, BaseLock],
    upgrade: Upgrade,
) -> Locked:
    recipe, variants = workspace.project.recipe(name), _variants(workspace, name)
    previous = workspace.lock_of(name)
    apt = ContainerApt(
        pinned,
        engine=workspace.engine,
        cache_dir=workspace.cache_dir,
        listener=workspace.listener,
    )
    resolver = UvResolver(workspace.child_environ)

    def glibc(variant: Variant) -> str:
        return _glibc(workspace, variant.base, pinned.get(variant.base.name))

    lock = lock_recipe(
        recipe,
        variants,
        resolver=resolver,
        apt=apt,
        previous=previous,
        upgrade=upgrade,
        glibc=glibc,
    )
    # what only shelved variants would install can't be told from what none would
    if not any(one.recipe == name for one in workspace.project.shelved):
        refuse_idle_exclusions(recipe, variants, lock, resolver=resolver, glibc=glibc)
    write_recipe_lock(workspace.root, lock)
    return Locked(lock, _changes(previous, lock))


def _glibc(workspace: Workspace, base: Base, lock: BaseLock | None) -> str:
    """Return the glibc of a base: measured where its packages are known, else by the data."""
    measured = lock.packages.get("libc6", "") if lock else ""
    if measured:
        return measured.partition("-")[0]
    from twinforge.compat.systems import find_system  # noqa: PLC0415 - its tables take a while

    with workspace.own_data():
        return find_system(base).glibc


def _variants(workspace: Workspace, recipe: str) -> tuple[Variant, ...]:
    return tuple(v for v in workspace.project.variants if v.recipe == recipe)


def _bases(variants: Sequence[Variant]) -> tuple[Base, ...]:
    return tuple({variant.base.name: variant.base for variant in variants}.values())


def _changes(old: RecipeLock | None, new: RecipeLock) -> tuple[str, ...]:
    before = _pins(old) if old else {}
    after = _pins(new)
    lines = []
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name, ""), after.get(name, "")
        if was != now:
            lines.append(f"{name}: {was or 'new'} -> {now or 'gone'}")
    return tuple(lines)


def _pins(lock: RecipeLock) -> dict[str, str]:
    pins: dict[str, str] = {}
    for variant in lock.variants:
        pins.update({wheel.name: wheel.version for wheel in variant.wheels})
        pins.update({package.name: package.version for package in variant.apt})
    return pins
