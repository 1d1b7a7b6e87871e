"""cuDNN releases: for which CUDA and which GPUs they are, and what they are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.compat.active import per_project
from twinforge.compat.cudnn_tables import load_cudnn_table
from twinforge.compat.facts import Dotted, Fact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twinforge.compat.cudnn_tables import CudnnTable, EraRecord, SupportRecord

__all__ = [
    "AptPackage",
    "CudaSupport",
    "CudnnRelease",
    "CudnnWheel",
    "GpuRange",
    "cudnn_releases",
    "find_cudnn",
    "tag_parts",
]


@dataclass(frozen=True, slots=True)
class CudaSupport:
    """CUDA releases ``first`` to ``last`` that a cuDNN release is listed for."""

    first: Dotted
    last: Dotted
    fact: Fact

    def holds(self, cuda: Dotted) -> bool:
        """Whether a release such as 12.4 (or 12.4.1) is among them."""
        return self.first.parts <= cuda.parts[:2] <= self.last.parts


@dataclass(frozen=True, slots=True)
class GpuRange:
    """The oldest and newest compute capability, for one CUDA major or (0) for all."""

    cuda_major: int
    oldest: Dotted
    newest: Dotted
    fact: Fact


@dataclass(frozen=True, slots=True)
class AptPackage:
    """NVIDIA's packages of a release for one CUDA: a release (``11.8``) or a major (``12``).

    ``pin`` is the version of both, empty where no source shows it for that release; ``systems``
    are those that it was seen on.
    """

    cuda: Dotted
    runtime: str
    dev: str
    pin: str
    systems: tuple[str, ...]
    fact: Fact


@dataclass(frozen=True, slots=True)
class CudnnWheel:
    """The wheel of a release for one CUDA major; capabilities are empty where not measured."""

    package: str
    cuda_major: int
    glibc: Dotted
    compute_capabilities: tuple[Dotted, ...]
    ptx: Dotted | None
    fact: Fact

    def requirement(self, release: CudnnRelease) -> str:
        """Return what pip is asked for."""
        return f"{self.package}=={release.version}"


@dataclass(frozen=True, slots=True)
class CudnnRelease:
    """One release, such as 9.10.2.21; three numbers where no source gives the fourth."""

    version: Dotted
    cuda_majors: tuple[int, ...]
    cuda: tuple[CudaSupport, ...]
    gpus: tuple[GpuRange, ...]
    apt: tuple[AptPackage, ...]
    wheels: tuple[CudnnWheel, ...]

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Everything that is known of it, with sources."""
        return (
            *(record.fact for record in self.cuda),
            *(record.fact for record in self.gpus),
            *(record.fact for record in self.apt),
            *(record.fact for record in self.wheels),
        )

    def gpus_for(self, cuda_major: int) -> GpuRange | None:
        """Return the GPUs of its build for a CUDA major: measured where that was done."""
        fitting = (r for r in self.gpus if r.cuda_major in {0, cuda_major})
        return next(fitting, None)

    def apt_for(self, cuda: Dotted) -> AptPackage | None:
        """Return its packages for a CUDA release such as 11.8, or None where there are none."""
        exact = (p for p in self.apt if p.cuda.parts in {cuda.parts[:2], cuda.parts[:1]})
        return next(exact, None)


@per_project
def cudnn_releases() -> tuple[CudnnRelease, ...]:
    """Return every known release, oldest first."""
    table = load_cudnn_table()
    return tuple(_release(table, version) for version in sorted(_versions(table)))


def find_cudnn(text: str) -> CudnnRelease | None:
    """Return the newest release of ``9``, ``9.1``, ``9.1.0`` or ``9.1.0.70``, or ``None``.

    >>> find_cudnn("8.7").version.text
    '8.7.0.84'
    """
    try:
        asked = Dotted.parse(text)
    except ValueError:
        return None
    length = len(asked.parts)
    known = [r for r in cudnn_releases() if r.version.parts[:length] == asked.parts]
    return known[-1] if known else None


def tag_parts(cuda: Dotted) -> tuple[str, ...]:
    """Return what tags of nvidia/cuda call cuDNN at a CUDA release, such as ``cudnn8``.

    Every one of them is the part of a tag before its flavour. Empty: there is no data.
    """
    for record in load_cudnn_table().tag_parts:
        first = Dotted.parse(record.first).parts
        last = Dotted.parse(record.last).parts if record.last else cuda.parts[:2]
        if first <= cuda.parts[:2] <= last:
            return tuple(record.parts)
    return ()


def _versions(table: CudnnTable) -> set[Dotted]:
    whole = {Dotted.parse(v) for record in table.wheels for v in record.versions}
    whole |= {Dotted.parse(record.version) for record in table.pins}
    ends = {Dotted.parse(v) for record in table.support for v in (record.first, record.last)}
    whole |= {end for end in ends if len(end.parts) > _PUBLISHED}
    named = {version.parts[:_PUBLISHED] for version in whole}
    return whole | {end for end in ends if end.parts not in named and len(end.parts) <= _PUBLISHED}


_PUBLISHED = 3
"""Tables name releases by three numbers, packages by four."""


def _release(table: CudnnTable, version: Dotted) -> CudnnRelease:
    rows = [record for record in table.support if _in_row(record, version)]
    cuda = tuple(_supports(table, version, rows))
    wheels = tuple(_wheels(table, version))
    apt = tuple(_apt(table, version))
    majors = {part.cuda_major for part in wheels}
    majors |= {part.cuda.major for part in apt if part.pin}
    majors |= {major for part in cuda for major in range(part.first.major, part.last.major + 1)}
    return CudnnRelease(
        version=version,
        cuda_majors=tuple(sorted(majors)),
        cuda=cuda,
        gpus=tuple(_gpus(table, version, rows)),
        apt=apt,
        wheels=wheels,
    )


def _in_row(record: SupportRecord, version: Dotted) -> bool:
    first, last = Dotted.parse(record.first).parts, Dotted.parse(record.last).parts
    return first <= version.parts[: len(first)] and version.parts[: len(last)] <= last


def _supports(
    table: CudnnTable, version: Dotted, rows: list[SupportRecord]
) -> Iterator[CudaSupport]:
    for row in rows:
        for part in row.cuda:
            first, last = Dotted.parse(part.first), Dotted.parse(part.last)
            span = str(first) if first == last else f"{first} to {last}"
            fact = Fact(f"cuDNN {version} is for CUDA {span}", table.cite(row.source), row.verified)
            yield CudaSupport(first, last, fact)


def _gpus(table: CudnnTable, version: Dotted, rows: list[SupportRecord]) -> Iterator[GpuRange]:
    for era in table.eras:
        if _in_era(era, version):
            text = (
                f"cuDNN {version} for CUDA {era.cuda} holds code for compute capabilities "
                f"{era.oldest} to {era.newest}"
            )
            fact = Fact(text, table.cite(era.source), era.verified)
            major = Dotted.parse(era.cuda).major
            yield GpuRange(major, Dotted.parse(era.oldest), Dotted.parse(era.newest), fact)
    for row in rows:
        if row.oldest and row.newest:
            text = f"cuDNN {version} is for compute capabilities {row.oldest} to {row.newest}"
            fact = Fact(text, table.cite(row.source), row.verified)
            yield GpuRange(0, Dotted.parse(row.oldest), Dotted.parse(row.newest), fact)


def _in_era(era: EraRecord, version: Dotted) -> bool:
    last = Dotted.parse(era.last) if era.last else version
    return Dotted.parse(era.first) <= version <= last


def _apt(table: CudnnTable, version: Dotted) -> Iterator[AptPackage]:
    pinned = [record for record in table.pins if record.version == version.text]
    for regime in table.regimes:
        if regime.major != version.major:
            continue
        mine = [r for r in pinned if regime.cuda is None or r.cuda == regime.cuda]
        for pin in mine:
            text = f"cuDNN {version} for CUDA {pin.cuda} is {regime.runtime}={pin.pin} in apt"
            yield AptPackage(
                Dotted.parse(pin.cuda),
                regime.runtime,
                regime.dev,
                pin.pin,
                tuple(pin.systems),
                Fact(text, table.cite(pin.source), pin.verified),
            )
        if regime.cuda is not None and not mine and _has_wheel(table, version, regime.cuda):
            text = f"cuDNN {regime.major} for CUDA {regime.cuda} is {regime.runtime} in apt"
            fact = Fact(text, table.cite(regime.source), regime.verified)
            yield AptPackage(Dotted.parse(regime.cuda), regime.runtime, regime.dev, "", (), fact)


def _has_wheel(table: CudnnTable, version: Dotted, cuda: str) -> bool:
    return any(r.cuda == cuda and version.text in r.versions for r in table.wheels)


def _wheels(table: CudnnTable, version: Dotted) -> Iterator[CudnnWheel]:
    for record in table.wheels:
        if version.text not in record.versions:
            continue
        capabilities: tuple[Dotted, ...] = ()
        ptx = None
        for measured in table.measured:
            if measured.package == record.package and version.text in measured.versions:
                capabilities = tuple(Dotted.parse(v) for v in measured.compute_capabilities)
                ptx = Dotted.parse(measured.ptx) if measured.ptx else None
        text = f"{record.package} {version} needs glibc {record.glibc}"
        fact = Fact(text, table.cite(record.source), record.verified)
        major = Dotted.parse(record.cuda).major
        glibc = Dotted.parse(record.glibc)
        yield CudnnWheel(record.package, major, glibc, capabilities, ptx, fact)
