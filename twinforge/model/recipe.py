"""What an image family is, after its recipe was read, checked and completed.

Reading is the work of :mod:`twinforge.model.load`; here is nothing that can be wrong any more, and
no ``None`` that means "not decided yet".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.requirements import Requirement

    from twinforge.model.matrix import Axis, Rule
    from twinforge.model.place import Place

__all__ = [
    "AptPackage",
    "Invocation",
    "Override",
    "Package",
    "Recipe",
    "Runtime",
    "Smoke",
    "SmokeChange",
    "SystemPackages",
    "TrainSmoke",
    "Twin",
]


@dataclass(frozen=True, slots=True)
class Package:
    """A Python package that every variant holds."""

    requirement: Requirement
    place: Place


@dataclass(frozen=True, slots=True)
class Twin:
    """One import that comes from another distribution per kind of accelerator, at one version.

    ``names`` maps ``cpu`` and ``cuda`` to a distribution with its extras, such as
    ``tensorflow[and-cuda]``; ``version`` is a PEP 440 specifier set, empty for any.
    """

    names: Mapping[str, str]
    version: str
    place: Place


@dataclass(frozen=True, slots=True)
class AptPackage:
    """A Debian package, with its version where the user pins it (empty for any)."""

    name: str
    version: str = ""

    def __str__(self) -> str:
        """Return it as apt takes it: ``name`` or ``name=version``."""
        return f"{self.name}={self.version}" if self.version else self.name


@dataclass(frozen=True, slots=True)
class SystemPackages:
    """Debian packages of all variants, and those of CUDA variants only."""

    every: tuple[AptPackage, ...]
    cuda: tuple[AptPackage, ...]


@dataclass(frozen=True, slots=True)
class TrainSmoke:
    """A training run that a built image must finish; channel paths are relative to the project."""

    channels: Mapping[str, str]
    hyperparameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Invocation:
    """A request that a serving image must answer.

    ``body`` and ``labels`` are paths relative to the project. ``json`` maps JSON pointers (RFC 6901)
    of the answer to the values that must stand there. With ``labels`` (a JSON array), the answer,
    a JSON array of the same length, must agree with at least the share ``accuracy`` of them.
    """

    content_type: str
    body: str
    status: int
    accept: str
    json: Mapping[str, object]
    labels: str
    accuracy: float


@dataclass(frozen=True, slots=True)
class Smoke:
    """What a built image must do before it may be pushed; ``startup_s`` is the time to ``/ping``."""

    train: TrainSmoke | None
    invocations: tuple[Invocation, ...]
    startup_s: int


@dataclass(frozen=True, slots=True)
class SmokeChange:
    """What an override says of the checks; ``None`` leaves that part as it is."""

    train: TrainSmoke | None
    invocations: tuple[Invocation, ...] | None
    startup_s: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Override:
    """What is different for the variants that ``rule`` applies to; ``where`` is its path in the file.

    Packages replace their namesakes or are added; so do environment variables.
    """

    rule: Rule
    where: tuple[str | int, ...]
    env: Mapping[str, str]
    packages: tuple[Package | Twin, ...]
    system: SystemPackages
    smoke: SmokeChange


@dataclass(frozen=True, slots=True)
class Runtime:
    """What Twinforge's own ``train`` and ``serve`` run: file names in the program's folder.

    Either may be empty, and then that half of the image says so when it is asked for.
    """

    predictor: str
    trainer: str
    place: Place


@dataclass(frozen=True, slots=True)
class Recipe:
    """An image family. ``program`` is a folder relative to the project, with ``train``/``serve``.

    With a ``runtime``, that folder has the files that the runtime needs instead of the two.
    ``axes`` stand instead of the matrix's of the same name, or beside them. What ``overrides``
    change is not in the other fields; ``variant_recipe`` gives a variant's own recipe.
    """

    name: str
    version: str
    description: str
    packages: tuple[Package | Twin, ...]
    indexes: tuple[str, ...]
    parity_exempt: Mapping[str, str]
    system: SystemPackages
    steps: tuple[str, ...]
    program: str
    env: Mapping[str, str]
    template: str
    smoke: Smoke
    place: Place
    axes: tuple[Axis, ...] = ()
    overrides: tuple[Override, ...] = ()
    runtime: Runtime | None = None
