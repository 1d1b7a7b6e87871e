"""CUDA releases: which GPUs they know, and which driver they need."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from twinforge.compat.active import per_project
from twinforge.compat.facts import Dotted, Fact
from twinforge.compat.tables import load_cuda_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twinforge.compat.tables import CudaTable, ReleaseRecord

__all__ = [
    "CudaPatch",
    "CudaRelease",
    "cuda_releases",
    "find_patch",
    "find_release",
    "first_with",
    "last_branch",
]


@dataclass(frozen=True, slots=True)
class CudaRelease:
    """One release, such as 12.9.

    ``own_driver`` is the lowest that a patch release of it came with, ``None`` where none is
    published; ``driver_min`` is the lowest that an application built with it runs on, which
    minor-version compatibility makes the same for a whole major from CUDA 11 on.
    """

    version: Dotted
    compute_capabilities: tuple[Dotted, ...]
    capabilities_fact: Fact
    own_driver: Dotted | None
    driver_min: Dotted
    driver_fact: Fact

    @property
    def first(self) -> Dotted:
        """The oldest compute capability that it knows."""
        return min(self.compute_capabilities)

    @property
    def last(self) -> Dotted:
        """The newest compute capability that it knows."""
        return max(self.compute_capabilities)


@per_project
def cuda_releases() -> Mapping[tuple[int, ...], CudaRelease]:
    """Return every known release by its two numbers, oldest first."""
    table = load_cuda_table()
    releases = sorted(
        (_release(table, name, record) for name, record in table.releases.items()),
        key=lambda release: release.version,
    )
    return MappingProxyType({release.version.parts: release for release in releases})


def find_release(cuda: str) -> CudaRelease | None:
    """Return the release of ``12.9`` or ``12.9.1``, or ``None`` where there is no data on it."""
    try:
        version = Dotted.parse(cuda)
    except ValueError:
        return None
    return cuda_releases().get(version.parts[:2])


@per_project
def first_with(capability: Dotted) -> CudaRelease | None:
    """Return the oldest release that knows a compute capability."""
    known = (r for r in cuda_releases().values() if capability in r.compute_capabilities)
    return next(known, None)


@per_project
def last_branch(capability: Dotted) -> Dotted | None:
    """Return the newest driver branch that drives a compute capability; ``None``: it has no end."""
    for record in load_cuda_table().last_driver_branches:
        if Dotted.parse(record.first) <= capability <= Dotted.parse(record.last):
            return Dotted.parse(record.branch)
    return None


def _release(table: CudaTable, name: str, record: ReleaseRecord) -> CudaRelease:
    version = Dotted.parse(name)
    capabilities = tuple(Dotted.parse(text) for text in record.compute_capabilities)
    own = Dotted.parse(record.driver.value) if record.driver is not None else None
    needed = table.minor_version_drivers.get(str(version.major), record.driver)
    if needed is None:  # pragma: no cover - a test holds that every release has one or the other
        message = f"CUDA {name} has no driver in the data"
        raise ValueError(message)
    return CudaRelease(
        version=version,
        compute_capabilities=capabilities,
        capabilities_fact=Fact(
            f"CUDA {name} knows compute capabilities {min(capabilities)} to {max(capabilities)}",
            table.cite(record.source),
            record.verified,
        ),
        own_driver=own,
        driver_min=Dotted.parse(needed.value),
        driver_fact=Fact(
            f"CUDA {name} needs driver {needed.value}", table.cite(needed.source), needed.verified
        ),
    )


@dataclass(frozen=True, slots=True)
class CudaPatch:
    """A patch release, such as 12.9.1; ``driver`` is the one it came with, where it is known."""

    version: Dotted
    driver: Dotted | None
    fact: Fact


def find_patch(text: str) -> CudaPatch | None:
    """Return the patch release of ``12.9.1`` (or ``9.0.76``), or ``None`` without data on it."""
    table = load_cuda_table()
    for record in table.patches:
        if record.version == text:
            came = f"came with driver {record.driver}" if record.driver else "exists"
            fact = Fact(f"CUDA {text} {came}", table.cite(record.source), record.verified)
            driver = Dotted.parse(record.driver) if record.driver else None
            return CudaPatch(Dotted.parse(text), driver, fact)
    return None
