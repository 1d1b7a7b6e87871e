"""What can be refreshed from a package index: each framework, and the wheels of cuDNN.

Another source of facts (a vendor's tag list, a service's model) becomes one more subject.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from packaging.version import Version

from twinforge.compat.cudnn_tables import CudnnTable, WheelRecord
from twinforge.compat.facts import Dotted
from twinforge.compat.framework_tables import FrameworkTable, load_names_table
from twinforge.compat.refresh import SOURCE, index_packages, refresh_framework
from twinforge.compat.tablefile import shipped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twinforge.compat.tablefile import Sourced, Table
    from twinforge.compat.wheels import PublishedVersion

    Published = Mapping[str, Mapping[str, PublishedVersion]]

__all__ = ["Outcome", "Subject", "find_subject", "subject_names"]

_CUDNN = "cudnn"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The records of one section of a data file after a look at the index.

    ``changed`` are those that are new or say something else, and ``changes`` tell how.
    """

    section: str
    records: tuple[Sourced, ...]
    changed: tuple[Sourced, ...]
    changes: tuple[str, ...]


class Subject(Protocol):
    """Something that an index knows the newest of."""

    @property
    def name(self) -> str:
        """What it is called, which is the name of the project's file too."""
        ...

    @property
    def file(self) -> str:
        """Its data file."""
        ...

    @property
    def table(self) -> Table:
        """Its data, as it comes with Twinforge."""
        ...

    @property
    def packages(self) -> tuple[str, ...]:
        """What the index is asked for."""
        ...

    def refresh(self, published: Published) -> Outcome:
        """Compare the data with what the index has of the packages."""
        ...


def subject_names() -> tuple[str, ...]:
    """Return what can be refreshed."""
    return (*load_names_table().frameworks, _CUDNN)


def find_subject(name: str) -> Subject:
    """Return one of :func:`subject_names`."""
    return _Cudnn() if name == _CUDNN else _Framework(name)


@dataclass(frozen=True, slots=True)
class _Framework:
    name: str

    @property
    def file(self) -> str:
        return f"frameworks/{self.name}.yaml"

    @property
    def table(self) -> FrameworkTable:
        return shipped(FrameworkTable, self.file)

    @property
    def packages(self) -> tuple[str, ...]:
        return index_packages(self.table)

    def refresh(self, published: Published) -> Outcome:
        found = refresh_framework(self.table, published)
        return Outcome("builds", found.builds, found.changed, found.changes)


@dataclass(frozen=True, slots=True)
class _Cudnn:
    """The wheels of cuDNN; which GPUs a new one has code for, their tags do not tell."""

    name: str = _CUDNN
    file: str = "cudnn.yaml"

    @property
    def table(self) -> CudnnTable:
        return shipped(CudnnTable, self.file)

    @property
    def packages(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(record.package for record in self.table.wheels))

    def refresh(self, published: Published) -> Outcome:
        table = self.table
        new = [
            _wheel(table, package, found)
            for package in self.packages
            for found in published.get(package, {}).values()
            if found.glibcs.get("amd64") and not _is_known(table, package, found.version)
        ]
        changes = [f"{r.package}=={r.versions[0]}: new, needs glibc {r.glibc}" for r in new]
        changed = tuple(_joined(new))
        return Outcome("wheels", (*table.wheels, *changed), changed, tuple(changes))


def _is_known(table: CudnnTable, package: str, version: str) -> bool:
    return any(r.package == package and version in r.versions for r in table.wheels)


def _wheel(table: CudnnTable, package: str, found: PublishedVersion) -> WheelRecord:
    cuda = next(record.cuda for record in table.wheels if record.package == package)
    return WheelRecord(
        package=package,
        cuda=cuda,
        versions=[found.version],
        glibc=min(found.glibcs["amd64"], key=Dotted.parse),
        source=[SOURCE],
        verified=True,
    )


def _joined(records: list[WheelRecord]) -> Iterator[WheelRecord]:
    groups: dict[tuple[str, str], list[WheelRecord]] = {}
    for record in records:
        groups.setdefault((record.package, record.glibc), []).append(record)
    for group in groups.values():
        versions = sorted((record.versions[0] for record in group), key=Version)
        yield group[0].model_copy(update={"versions": versions})
