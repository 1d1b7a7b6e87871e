"""What resolving needs of the outside world: something that picks wheels for a target.

:mod:`twinforge.lock.uv` is the real one; tests bring one that knows a handful of packages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from twinforge.lock.locked import Deb, RecipeLock
    from twinforge.model.recipe import AptPackage
    from twinforge.model.variant import Variant

__all__ = ["OLDEST_PYTHON", "AptSource", "Conflict", "Resolved", "Resolver", "Target", "Upgrade"]


OLDEST_PYTHON = (3, 6)
"""The first CPython that uv resolves for: it refuses those before, whatever wheels there are."""


_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True, slots=True)
class Target:
    """What wheels must fit: CPython ``3.11`` on Linux for ``amd64`` whose glibc is ``2.36``."""

    python: str
    glibc: str
    cpu_arch: str = "amd64"

    @property
    def machine(self) -> str:
        """The CPU architecture as tags of wheels write it: ``x86_64``."""
        return _MACHINES[self.cpu_arch]

    def __str__(self) -> str:
        """Return it in words, for messages."""
        cpu = self.machine.replace("_", "-")
        return f"Python {self.python} on {cpu} Linux with glibc {self.glibc}"


@dataclass(frozen=True, slots=True)
class Resolved:
    """A package and the one wheel that was picked; see :class:`twinforge.lock.locked.Wheel`."""

    name: str
    version: str
    filename: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """There is no answer: no set of versions satisfies everything. An outcome, not a failure.

    ``explanation`` is one sentence for a person.
    """

    explanation: str


class Resolver(Protocol):
    """Picks versions and wheels."""

    def compile(  # noqa: PLR0913 - a question has these parts, most by keyword
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
        """Return the closure of ``requirements`` for exactly ``target``, sorted by name.

        Args:
            requirements: PEP 508 requirements.
            constraints: Versions that packages must have if they are needed at all.
            target: What the wheels must fit; this machine plays no part.
            preferences: Versions by canonical name that are taken where they are possible.
            indexes: Package indexes to ask before the default one, in this order.
            without: Packages that are left out, whoever asks for them.
            homes: Packages among ``requirements``, each with the one index that it comes from and
                that is asked for nothing else.

        Raises:
            IndexUnreachableError: An index of these does not answer.
            LockError: The question could not be answered otherwise.
        """


class AptSource(Protocol):
    """Knows what an apt step installs."""

    def closure(self, variant: Variant, packages: Sequence[AptPackage]) -> tuple[Deb, ...]:
        """Return what installing ``packages`` on the variant's base adds to it, with versions."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Which packages may leave the versions of the previous lock: all, or those named.

    Names may be written in any way; they are kept in canonical form (PEP 503).
    A package that the previous versions do not allow any more moves without being named.
    """

    everything: bool = False
    packages: frozenset[str] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        canonical = frozenset(canonicalize_name(name) for name in self.packages)
        object.__setattr__(self, "packages", canonical)

    @classmethod
    def of(cls, names: Iterable[str]) -> Upgrade:
        """Return an upgrade of these packages."""
        return cls(packages=frozenset(names))

    def unmatched(self, locks: Iterable[RecipeLock]) -> tuple[str, ...]:
        """Return the names that no lock holds, sorted: an upgrade of nothing is a mistake."""
        known = {
            wheel.name for lock in locks for variant in lock.variants for wheel in variant.wheels
        }
        return tuple(sorted(self.packages - known))
