"""For what images are built: bases, accelerators, axes and the registry, checked and completed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from twinforge.model.cuda import NO_LIBRARIES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from twinforge.model.condition import Condition
    from twinforge.model.cuda import CudaLibraries
    from twinforge.model.place import Place
    from twinforge.model.recipe import AptPackage, Override
    from twinforge.model.reference import Reference

__all__ = [
    "Accelerator",
    "Access",
    "Alias",
    "AllowedFinding",
    "Axis",
    "Base",
    "Bootstrap",
    "Budget",
    "Derived",
    "Group",
    "Lifecycle",
    "Matrix",
    "Registry",
    "Rule",
    "Scan",
    "Served",
]


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """A base made from a distribution's packages: no registry needed.

    ``snapshot`` is a date such as ``20260101T000000Z`` of the distribution's dated archive, or empty
    for today's. ``packages`` come on top of the minimal system. ``components`` are those of the
    archive, empty for the ones that the distribution's users usually have.
    """

    suite: str
    snapshot: str
    packages: tuple[AptPackage, ...]
    components: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Base:
    """What ``FROM`` names: an image of a registry or a bootstrapped system, never both.

    ``os`` is the value of the ``os`` axis that it serves; ``cuda`` is empty where it brings none.
    """

    name: str
    os: str
    cuda: str
    source: Bootstrap | Reference
    place: Place


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A value of the ``accelerator`` axis; ``cuda`` and ``cudnn`` are empty for a CPU."""

    name: str
    cuda: str
    cudnn: str
    packages: tuple[AptPackage, ...]
    place: Place
    libraries: CudaLibraries = NO_LIBRARIES

    @property
    def kind(self) -> str:
        """``cuda`` or ``cpu``: the key of a twin's names."""
        return "cuda" if self.cuda else "cpu"


@dataclass(frozen=True, slots=True)
class Axis:
    """A named list of values, in declared order."""

    name: str
    values: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Rule:
    """Axis values (and perhaps ``recipe``) that a variant must all have for the rule to apply.

    Where there is a condition in ``when``, it must hold too.
    """

    values: Mapping[str, str]
    place: Place
    when: Condition | None = None


@dataclass(frozen=True, slots=True)
class Group(Rule):
    """A named selection. ``sample`` is ``pairwise``, or empty for all that the rule applies to."""

    sample: str = ""


@dataclass(frozen=True, slots=True)
class Served(Rule):
    """The variants that have to run on an instance type, for one use of SageMaker's."""

    use: Literal["hosting", "processing", "training", "transform"] = "hosting"
    instance: str = ""


@dataclass(frozen=True, slots=True)
class Derived:
    """A value that follows from those of axes, or of derived ones declared before it.

    ``values`` maps theirs, joined by ``/``, to the value; ``default`` is empty where there is none.
    """

    name: str
    sources: tuple[str, ...]
    values: Mapping[str, str]
    default: str
    place: Place


@dataclass(frozen=True, slots=True)
class Alias:
    """A moving tag and the axis values of the variant that it points to.

    ``tag`` may hold ``{version}``, ``{major}``, ``{minor}`` and axis names in braces.
    """

    tag: str
    values: Mapping[str, str]
    place: Place
    when: Condition | None = None


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """What ECR may delete; ``untagged_days`` is 0 where images without a tag stay."""

    keep_images: int
    untagged_days: int


@dataclass(frozen=True, slots=True)
class Access:
    """Who may pull, beside the account itself."""

    sagemaker: bool
    accounts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AllowedFinding:
    """A finding of a scan that is accepted up to a day, that one included."""

    id: str
    reason: str
    until: date
    place: Place


@dataclass(frozen=True, slots=True)
class Scan:
    """Findings that stop a push: from ``fail_on`` up, without those that are allowed."""

    fail_on: str
    allowed: tuple[AllowedFinding, ...]


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit on an image's compressed size, and the name that the matrix gives it."""

    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Registry:
    """Where images go. ``kind`` is ``ecr`` or ``oci``; ``repository`` may hold ``{recipe}``.

    ``host`` is the host of an ``oci`` registry, or empty for ECR, where account and region decide.
    ``name`` is ``default`` for a matrix's only registry. Of ECR's repositories, ``lifecycle``,
    ``tags`` and ``access`` are None where the matrix leaves them as they are, and ``kms_key`` is
    empty then.
    """

    kind: str
    host: str
    account: str
    regions: tuple[str, ...]
    repository: str
    scan_on_push: bool
    place: Place
    name: str = "default"
    kms_key: str = ""
    lifecycle: Lifecycle | None = None
    tags: Mapping[str, str] | None = None
    access: Access | None = None
    scan: Scan | None = None
    budgets: tuple[Budget, ...] = ()


@dataclass(frozen=True, slots=True)
class Matrix:
    """Everything that ``matrix.yaml`` says, in declared order."""

    bases: tuple[Base, ...]
    accelerators: tuple[Accelerator, ...]
    axes: tuple[Axis, ...]
    excludes: tuple[Rule, ...]
    groups: Mapping[str, Group]
    aliases: tuple[Alias, ...]
    registries: tuple[Registry, ...]
    includes: tuple[Rule, ...] = ()
    derived: tuple[Derived, ...] = ()
    overrides: tuple[Override, ...] = ()
    serves: tuple[Served, ...] = ()

    @property
    def registry(self) -> Registry | None:
        """The registry that is pushed to: the first one."""
        return self.registries[0] if self.registries else None
