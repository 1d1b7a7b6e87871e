"""An index in memory, a resolver that searches it, and an archive of Debian packages."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from twinforge.lock.locked import Deb
from twinforge.lock.resolve import Conflict, Resolved, Target, Upgrade, lock_recipe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twinforge.lock.document import RecipeLock
    from twinforge.model.recipe import AptPackage, Recipe
    from twinforge.model.variant import Variant

Index = dict[str, dict[str, list[str]]]
TWIN = {"cpu": "boost-cpu", "cuda": "boost"}
PAIR = {"cpu": "", "cu129": "12.9"}
BOOST: Index = {
    "numpy": {"1.0": [], "1.1": [], "2.0": []},
    "nccl": {"2.3": []},
    "boost-cpu": {"3.0": ["numpy"], "3.1": ["numpy"], "3.3": ["numpy"]},
    "boost": {
        "3.0": ["numpy", "nccl"],
        "3.1": ["numpy<2", "nccl"],
        "3.2": ["numpy", "nccl"],
        "3.4": ["numpy", "nccl"],
    },
}


@dataclass
class World:
    """An index in memory, and a resolver that searches it from the newest version down."""

    packages: Mapping[str, Mapping[str, Sequence[str]]]
    asked: list[tuple[tuple[str, ...], tuple[str, ...], Target]] = field(default_factory=list)
    left_out: list[tuple[str, ...]] = field(default_factory=list)
    homes: list[tuple[tuple[str, str], ...]] = field(default_factory=list)

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
        del indexes
        self.homes.append(tuple(homes))
        self.left_out.append(tuple(without))
        self.asked.append((tuple(requirements), tuple(constraints), target))
        limits = [Requirement(text) for text in constraints]
        chosen = self._search([Requirement(text) for text in requirements], limits, preferences, {})
        if chosen is None:
            return Conflict(f"no versions satisfy {' and '.join(requirements)}")
        return tuple(wheel(name, version, target) for name, version in sorted(chosen.items()))

    def _search(
        self,
        todo: Sequence[Requirement],
        limits: Sequence[Requirement],
        preferences: Mapping[str, str],
        chosen: Mapping[str, str],
    ) -> Mapping[str, str] | None:
        if not todo:
            return chosen
        first, *rest = todo
        name = canonicalize_name(first.name)
        if name in chosen:
            if chosen[name] not in first.specifier:
                return None
            return self._search(rest, limits, preferences, chosen)
        versions = sorted(self.packages.get(name, {}), key=Version, reverse=True)
        versions.sort(key=lambda version: version != preferences.get(name))
        wanted = [first, *(limit for limit in limits if canonicalize_name(limit.name) == name)]
        for version in versions:
            if all(version in one.specifier for one in wanted):
                needs = [Requirement(text) for text in self.packages[name][version]]
                found = self._search(
                    [*rest, *needs], limits, preferences, {**chosen, name: version}
                )
                if found is not None:
                    return found
        return None


def wheel(name: str, version: str, target: Target) -> Resolved:
    filename = f"{name.replace('-', '_')}-{version}-py3-none-manylinux_{target.glibc}.whl"
    return Resolved(name, version, filename, hashlib.sha256(filename.encode()).hexdigest(), 10)


@dataclass
class Apt:
    """Adds one dependency to what it is asked for, and remembers what that was."""

    asked: list[tuple[str, ...]] = field(default_factory=list)

    def closure(self, variant: Variant, packages: Sequence[AptPackage]) -> tuple[Deb, ...]:
        del variant
        self.asked.append(tuple(str(package) for package in packages))
        asked = (Deb(package.name, package.version) for package in packages)
        return (*asked, Deb("libc6", "2.36"))


def locked(
    world: World,
    recipe: Recipe,
    variants: Sequence[Variant],
    previous: RecipeLock | None = None,
    upgrade: Upgrade | None = None,
) -> RecipeLock:
    return lock_recipe(
        recipe,
        variants,
        resolver=world,
        apt=Apt(),
        previous=previous,
        upgrade=upgrade or Upgrade(),
        glibc=lambda _: "2.36",
    )


def versions(lock: RecipeLock, slug: str) -> dict[str, str]:
    return {wheel.name: wheel.version for wheel in lock.variant(slug).wheels}


def groups(lock: RecipeLock, slug: str) -> dict[str, str]:
    return {wheel.name: wheel.group for wheel in lock.variant(slug).wheels}
