"""Parity, checked: siblings hold the same of everything that is not tied to the device."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from twinforge.lock.locked import VariantLock, Wheel
    from twinforge.model.recipe import Twin

__all__ = ["parity_problems"]


def parity_problems(
    locks: Sequence[VariantLock], twins: Iterable[Twin], exempt: Iterable[str]
) -> tuple[str, ...]:
    """Return what keeps siblings from matching, as sentences; nothing when they match.

    A package that two siblings hold has one version and one file, except for twins. Each sibling
    holds exactly one distribution of each twin, and the twin's version is the same everywhere. What
    only one sibling holds is not a problem: it came with a twin.

    Args:
        locks: Variants that differ only in their accelerator.
        twins: The recipe's twins.
        exempt: Packages that may differ, however their names are written.
    """
    allowed = {canonicalize_name(name) for name in exempt}
    families = [
        tuple(sorted({canonicalize_name(Requirement(name).name) for name in twin.names.values()}))
        for twin in twins
    ]
    of_twins = {name for family in families for name in family}
    problems: list[str] = []
    for family in families:
        if allowed.isdisjoint(family):
            problems += _twin_problems(locks, family)
    held: dict[str, list[tuple[str, Wheel]]] = {}
    for lock in locks:
        for wheel in lock.wheels:
            held.setdefault(wheel.name, []).append((lock.slug, wheel))
    for name in sorted(held.keys() - of_twins - allowed):
        problems += [_difference(*pair) for pair in pairwise(held[name]) if _differ(*pair)]
    return tuple(problems)


def _twin_problems(locks: Sequence[VariantLock], family: tuple[str, ...]) -> list[str]:
    problems: list[str] = []
    found: list[tuple[str, Wheel]] = []
    for lock in locks:
        here = [wheel for wheel in lock.wheels if wheel.name in family]
        if len(here) == 1:
            found.append((lock.slug, here[0]))
        elif here:
            names = " and ".join(f"'{wheel.name}'" for wheel in here)
            problems.append(f"{lock.slug} holds {names}, which are installed over each other")
        else:
            names = " or ".join(f"'{name}'" for name in family)
            problems.append(f"{lock.slug} holds no {names}")
    problems += [
        f"the twins '{a.name}' {a.version} of {left} and '{b.name}' {b.version} of {right} differ"
        for (left, a), (right, b) in pairwise(found)
        if Version(a.version).public != Version(b.version).public
    ]
    return problems


def _differ(left: tuple[str, Wheel], right: tuple[str, Wheel]) -> bool:
    a, b = left[1], right[1]
    return (a.version, a.sha256) != (b.version, b.sha256)


def _difference(left: tuple[str, Wheel], right: tuple[str, Wheel]) -> str:
    (one, a), (other, b) = left, right
    if a.version == b.version:
        return f"'{a.name}' {a.version} is '{a.filename}' in {one} and '{b.filename}' in {other}"
    return f"'{a.name}' is {a.version} in {one} and {b.version} in {other}"
