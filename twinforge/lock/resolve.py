"""The lock of a recipe: what each of its variants gets, resolved and checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from twinforge.errors import LockError
from twinforge.lock.apt import apt_packages
from twinforge.lock.asked import asked_by, twin_families
from twinforge.lock.checksum import inputs_checksum
from twinforge.lock.locked import COMMON, DEVICE, RecipeLock, VariantLock, Wheel
from twinforge.lock.parity import parity_problems
from twinforge.lock.resolver import AptSource, Conflict, Resolved, Resolver, Target, Upgrade
from twinforge.lock.siblings import resolve_siblings
from twinforge.model.merge import variant_recipe
from twinforge.model.recipe import Twin
from twinforge.model.variant import ARCH_AXIS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from twinforge.lock.locked import Deb
    from twinforge.model.recipe import AptPackage, Recipe
    from twinforge.model.variant import Variant

__all__ = [
    "AptSource",
    "Conflict",
    "Resolved",
    "Resolver",
    "Target",
    "Upgrade",
    "lock_problems",
    "lock_recipe",
    "sibling_groups",
    "target_of",
]


def lock_recipe(  # noqa: PLR0913 - a lock is decided by all of these, and all are by keyword
    recipe: Recipe,
    variants: Sequence[Variant],
    *,
    resolver: Resolver,
    apt: AptSource,
    previous: RecipeLock | None,
    upgrade: Upgrade,
    glibc: Callable[[Variant], str],
) -> RecipeLock:
    """Lock all variants of a recipe.

    Variants that differ only in their accelerator are resolved so that they match; versions of the
    previous lock stay where nothing speaks against them. The same inputs, previous lock and indexes
    give the same lock.

    Args:
        recipe: What is locked.
        variants: All variants of the recipe, in declared order.
        resolver: Picks wheels.
        apt: Knows what an apt step installs.
        previous: The lock to stay near to, if there is one.
        upgrade: What may leave it.
        glibc: The glibc version of a variant's base, such as ``2.36``.

    Raises:
        LockError: There is no answer, or none with parity; it names the requirement in the way.
    """
    known_apt: dict[tuple[str, str, tuple[AptPackage, ...]], tuple[Deb, ...]] = {}
    locked: dict[str, VariantLock] = {}
    elsewhere: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}
    for siblings in sibling_groups(variants):
        alike = tuple(pair for pair in siblings[0].siblings_key if pair[0] != ARCH_AXIS)
        # what was never locked takes the versions of another CPU architecture, as far as they exist
        same = {one.slug: elsewhere[alike] for one in siblings} if alike in elsewhere else {}
        found = resolve_siblings(
            recipe,
            siblings,
            target_of(siblings, glibc),
            resolver=resolver,
            preferences=_preferences(recipe, siblings, previous, upgrade) or same,
        )
        versions = {one.name: one.version for wheels in found.values() for one in wheels}
        elsewhere.setdefault(alike, versions)
        group = []
        for variant in siblings:
            wanted = apt_packages(recipe, variant)
            key = (variant.base.name, variant.cpu_arch, wanted)
            if key not in known_apt:
                closure = apt.closure(variant, wanted) if wanted else ()
                known_apt[key] = tuple(sorted(closure, key=str))
            wheels = _grouped(found, variant.slug)
            group.append(VariantLock(variant.slug, variant.base.name, known_apt[key], wheels))
        _check(recipe, siblings, group)
        locked |= {lock.slug: lock for lock in group}
    checksum = inputs_checksum(recipe, variants, {one.base.name: one.base for one in variants})
    return RecipeLock(recipe.name, checksum, tuple(locked[one.slug] for one in variants))


def sibling_groups(variants: Sequence[Variant]) -> tuple[tuple[Variant, ...], ...]:
    """Return the variants by groups that differ only in their accelerator, in declared order."""
    groups: dict[tuple[tuple[str, str], ...], list[Variant]] = {}
    for variant in variants:
        groups.setdefault(variant.siblings_key, []).append(variant)
    return tuple(map(tuple, groups.values()))


def target_of(siblings: Sequence[Variant], glibc: Callable[[Variant], str]) -> Target:
    """Return the one target that all siblings meet: their bases' oldest glibc.

    With a target each, a package could have another wheel per sibling at the same version.
    """
    oldest = min((glibc(one) for one in siblings), key=_as_numbers)
    return Target(siblings[0].python, oldest, siblings[0].cpu_arch)


def _as_numbers(version: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in version.split("."))
    except ValueError as error:
        message = f"'{version}' is not a version of glibc such as 2.36"
        raise LockError(message) from error


def _preferences(
    recipe: Recipe, siblings: Sequence[Variant], previous: RecipeLock | None, upgrade: Upgrade
) -> Mapping[str, Mapping[str, str]]:
    """Return the previous versions that should stay, by slug; a new sibling takes another's."""
    if previous is None or upgrade.everything:
        return {}
    free = set(upgrade.packages)
    for names in twin_families(recipe, siblings).values():
        # A twin whose other half stays behind would be bound to it and not move either.
        if not free.isdisjoint(names):
            free |= set(names)
    slugs = {one.slug for one in siblings}
    kept = {
        lock.slug: {wheel.name: wheel.version for wheel in lock.wheels if wheel.name not in free}
        for lock in previous.variants
        if lock.slug in slugs
    }
    if not kept:
        return {}
    first = next(iter(kept.values()))
    return {slug: kept.get(slug, first) for slug in slugs}


def _grouped(found: Mapping[str, Sequence[Resolved]], slug: str) -> tuple[Wheel, ...]:
    shared = set.intersection(
        *({(wheel.name, wheel.sha256) for wheel in wheels} for wheels in found.values())
    )
    return tuple(
        Wheel(
            wheel.name,
            wheel.version,
            wheel.filename,
            wheel.sha256,
            wheel.size_bytes,
            COMMON if (wheel.name, wheel.sha256) in shared else DEVICE,
        )
        for wheel in sorted(found[slug], key=lambda wheel: wheel.name)
    )


def lock_problems(recipe: Recipe, variants: Sequence[Variant], lock: RecipeLock) -> tuple[str, ...]:
    """Return what a lock can't say of these variants, whatever its checksum says, as sentences.

    A lock of our writing has none; one that was edited or merged by hand may. Whether its versions
    are the ones that an index gives is not asked.

    Args:
        recipe: The recipe.
        variants: All of its variants.
        lock: The recipe's lock.
    """
    held = {one.slug: one for one in lock.variants}
    wanted = [variant.slug for variant in variants]
    problems = [f"it lacks the variant '{slug}'" for slug in wanted if slug not in held]
    problems += [f"there is no variant '{slug}'" for slug in held if slug not in wanted]
    if problems:
        return tuple(problems)
    for siblings in sibling_groups(variants):
        for variant in siblings:
            problems += _unmet(recipe, variant, held[variant.slug])
        problems += _differences(recipe, siblings, [held[one.slug] for one in siblings])
    return tuple(problems)


def _unmet(recipe: Recipe, variant: Variant, lock: VariantLock) -> list[str]:
    """Return the requirements of the recipe itself that a variant's wheels do not meet."""
    versions = {wheel.name: wheel.version for wheel in lock.wheels}
    problems = []
    for asked in asked_by(recipe, [variant]):
        requirement = Requirement(asked.text)
        name = canonicalize_name(requirement.name)
        if requirement.marker is not None or name in recipe.without:
            continue  # whether it is wanted here is the resolver's to say
        version = versions.get(name)
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            found = f"has {name} {version}" if version else f"has no {name}"
            problems.append(f"'{lock.slug}' {found}, which {asked} asks for")
    return problems


def _check(recipe: Recipe, siblings: Sequence[Variant], group: Sequence[VariantLock]) -> None:
    problems = _differences(recipe, siblings, group)
    if problems:
        message = f"{recipe.place}: '{recipe.name}' has no parity: {'; '.join(problems)}"
        raise LockError(
            message, hint="allow the package by name, with a reason, under parity.exempt"
        )


def _differences(
    recipe: Recipe, siblings: Sequence[Variant], group: Sequence[VariantLock]
) -> tuple[str, ...]:
    """Return what keeps the locks of siblings from matching, as sentences."""
    held = [variant_recipe(recipe, variant).packages for variant in siblings]
    # a twin that only some have, by an override, is nobody else's lack
    shared = (package for package in held[0] if all(package in others for others in held))
    twins = [package for package in shared if isinstance(package, Twin)]
    return parity_problems(group, twins, recipe.parity_exempt)
