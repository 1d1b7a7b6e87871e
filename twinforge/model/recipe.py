"""What an image family is, after its recipe was read, checked and completed.

Reading is the work of :mod:`twinforge.model.load`; here is nothing that can be wrong any more, and
no ``None`` that means "not decided yet".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from twinforge.model.cuda import NO_LIBRARIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.requirements import Requirement

    from twinforge.model.cuda import CudaChange, CudaLibraries
    from twinforge.model.matrix import Axis, Rule
    from twinforge.model.place import Place

__all__ = [
    "AptPackage",
    "CommandSmoke",
    "Exclusion",
    "Invocation",
    "Override",
    "Package",
    "PairSmoke",
    "Recipe",
    "Runtime",
    "SeverityChange",
    "Shelf",
    "Smoke",
    "SmokeChange",
    "StopSmoke",
    "SystemPackages",
    "TrainSmoke",
    "Twin",
]


@dataclass(frozen=True, slots=True)
class Package:
    """A Python package that every variant holds.

    ``index`` is the URL of the only index that it comes from, or empty for those of the recipe.
    """

    requirement: Requirement
    place: Place
    index: str = ""


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
class StopSmoke:
    """How a training run is made long enough to be stopped in its middle.

    ``hyperparameters`` come on top of the run's own. The stop comes when a line of the log matches
    the regular expression ``after``, or after half the time of a whole run where that is empty.
    """

    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    after: str = ""


@dataclass(frozen=True, slots=True)
class TrainSmoke:
    """A training run that a built image must finish; channel paths are relative to the project.

    ``resumes`` is a regular expression that the log of a run that goes on from checkpoints matches;
    empty where the program keeps none.
    """

    channels: Mapping[str, str]
    hyperparameters: Mapping[str, str]
    stop: StopSmoke = field(default_factory=StopSmoke)
    resumes: str = ""


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
class CommandSmoke:
    """A command that must end with ``status`` in the image, in a container without a network.

    What it prints must match the regular expression ``prints``, unless that is empty.
    """

    name: str
    run: tuple[str, ...]
    status: int
    prints: str


@dataclass(frozen=True, slots=True)
class PairSmoke:
    """How far numbers of the CPU and the CUDA image's answers may lie apart."""

    absolute: float = 1e-6
    relative: float = 1e-5


@dataclass(frozen=True, slots=True)
class SeverityChange:
    """Another severity of a check, ``error`` or ``warning``, the reason, and where it is said."""

    severity: str
    because: str
    place: Place


@dataclass(frozen=True, slots=True)
class Smoke:
    """What a built image must do before it may be pushed.

    Attributes:
        train: A training run, where the image trains.
        invocations: Requests, in order.
        startup_s: The time to the first good ``/ping``.
        stop_s: The time from SIGTERM to the end of ``serve``.
        user: As whom the containers run; empty for the image's own.
        read_only_root: Whether train and serve must also work on a read-only root file system.
        severities: Other severities, by the check's id.
        commands: What else must succeed in the image.
        pair: How far the answers of the CPU and the CUDA image may lie apart.
    """

    train: TrainSmoke | None
    invocations: tuple[Invocation, ...]
    startup_s: int
    stop_s: int = 30
    user: str = ""
    read_only_root: bool = False
    severities: Mapping[str, SeverityChange] = field(default_factory=dict)
    commands: tuple[CommandSmoke, ...] = ()
    pair: PairSmoke = field(default_factory=PairSmoke)


@dataclass(frozen=True, slots=True)
class SmokeChange:
    """What an override says of the checks; ``None`` leaves that part as it is."""

    train: TrainSmoke | None
    invocations: tuple[Invocation, ...] | None
    startup_s: int | None
    stop_s: int | None = None
    user: str | None = None
    read_only_root: bool | None = None
    severities: Mapping[str, SeverityChange] | None = None
    commands: tuple[CommandSmoke, ...] | None = None
    pair: PairSmoke | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Override:
    """What is different for the variants that ``rule`` applies to; ``where`` is its path in the file.

    Packages replace their namesakes or are added; so do environment variables. ``cuda`` is ``None``
    where it says nothing of CUDA's libraries.
    """

    rule: Rule
    where: tuple[str | int, ...]
    env: Mapping[str, str]
    packages: tuple[Package | Twin, ...]
    system: SystemPackages
    smoke: SmokeChange
    indexes: tuple[str, ...] = ()
    cuda: CudaChange | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Shelf:
    """Variants that are not made, and why; ``where`` is its path in the file."""

    rule: Rule
    where: tuple[str | int, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Why a package stays out, and where that is said."""

    because: str
    place: Place


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
    change is not in the other fields; ``variant_recipe`` gives a variant's own recipe. ``without``
    maps the canonical names of packages that stay out, though others ask for them, to the reason.
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
    cuda: CudaLibraries = NO_LIBRARIES
    without: Mapping[str, Exclusion] = field(default_factory=dict)
    shelves: tuple[Shelf, ...] = ()

    @property
    def homes(self) -> Mapping[str, str]:
        """The packages that have an index of their own: canonical name -> URL, in order."""
        return {
            canonicalize_name(package.requirement.name): package.index
            for package in self.packages
            if isinstance(package, Package) and package.index
        }
