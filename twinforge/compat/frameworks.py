"""Frameworks: which builds of them exist, and what each build was made for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from twinforge.compat.active import per_project
from twinforge.compat.facts import Dotted, Fact
from twinforge.compat.framework_tables import load_framework_table, load_names_table
from twinforge.errors import UnknownError
from twinforge.model.suggest import known_or_close

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twinforge.compat.framework_tables import BuildRecord, FrameworkTable

__all__ = [
    "PYTHONS",
    "FrameworkBuild",
    "framework_builds",
    "framework_names",
    "framework_of",
]

PYTHONS = ("3.5", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15")
"""The Pythons that a range of versions is spelled out to; they were released before this data."""


@dataclass(frozen=True, slots=True)
class FrameworkBuild:
    """One version of a framework, built for one device.

    What no source gives is empty or ``None``, which is not a "no". A CUDA or cuDNN of one number
    (``12``) means any of that major.

    Attributes:
        framework: Such as ``torch``.
        version: The public version, without a local part.
        device: ``cpu`` or ``cuda``. Some packages run on both and are then there twice.
        package: The distribution to install.
        index: URL of the package index, empty for the default one.
        find_links: Whether ``index`` is a page of links to wheels and no index.
        local: The local part of the version on that index: ``cu121`` of ``2.5.1+cu121``.
        extras: The extras that bring NVIDIA's wheels.
        pythons: The Pythons that its wheels are tagged for, or that ``requires_python`` lets in.
        requires_python: The range that its metadata asks for, empty where tags say it.
        cuda: What it was built for.
        cudnn: What it was built for, or the oldest that it asks for.
        compute_capabilities: Those that it holds binary code for.
        compute_capability_min: The oldest that its makers say it runs on.
        ptx: The newest for which it holds PTX, which newer GPUs compile when it is loaded.
        glibc: The oldest glibc that its wheels are for.
        cpu_archs: Those that there are wheels for.
        is_gone: Whether the index has no wheel of it any more.
        takes_newest_cudnn: Whether its extras bring the newest cuDNN of its major.
    """

    framework: str
    version: str
    device: Literal["cpu", "cuda"]
    package: str
    index: str
    find_links: bool
    local: str
    extras: tuple[str, ...]
    pythons: tuple[str, ...]
    requires_python: str
    cuda: Dotted | None
    cudnn: Dotted | None
    compute_capabilities: tuple[Dotted, ...]
    compute_capability_min: Dotted | None
    ptx: Dotted | None
    glibc: Dotted | None
    cpu_archs: tuple[str, ...]
    is_gone: bool
    takes_newest_cudnn: bool
    about: Mapping[str, Fact]
    """Facts by the attribute that they are about; every attribute that is known has one."""

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Everything that is known of it, with sources."""
        return tuple(self.about.values())

    @property
    def requirement(self) -> str:
        """What pip is asked for: ``tensorflow[and-cuda]==2.20.0``."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        local = f"+{self.local}" if self.local else ""
        return f"{self.package}{extras}=={self.version}{local}"

    def __str__(self) -> str:
        """Return its requirement."""
        return self.requirement


def framework_names() -> tuple[str, ...]:
    """Return the frameworks that there is data on."""
    return tuple(load_names_table().frameworks)


def framework_of(package: str) -> str | None:
    """Return the framework that a distribution holds, or ``None``.

    >>> framework_of("onnxruntime-gpu"), framework_of("numpy")
    ('onnxruntime', None)
    """
    named = load_names_table().frameworks.items()
    return next((name for name, record in named if package in record.packages), None)


def framework_builds(name: str) -> tuple[FrameworkBuild, ...]:
    """Return the builds of a framework, oldest version first.

    Args:
        name: Its name, what else it is called (``pytorch``), or one of its packages
            (``tensorflow-gpu``), which does not choose among the builds.

    Raises:
        UnknownError: There is no data on it.
    """
    names = load_names_table().frameworks
    wanted = name.lower().replace("_", "-")
    for framework, record in names.items():
        if wanted in {framework, *record.also, *record.packages}:
            return _builds(framework)
    message = f"there is no data on a framework '{name}'"
    raise UnknownError(message, hint=known_or_close(wanted, names).removeprefix("; "))


@per_project
def _builds(framework: str) -> tuple[FrameworkBuild, ...]:
    table = load_framework_table(framework)
    found = (
        _build(table, record, version) for record in table.builds for version in record.versions
    )
    return tuple(sorted(found, key=lambda build: Version(build.version)))


def _build(table: FrameworkTable, record: BuildRecord, version: str) -> FrameworkBuild:
    index = table.indexes.get(record.index)
    return FrameworkBuild(
        framework=table.framework,
        version=version,
        device=record.device,
        package=record.package,
        index=index.url if index else "",
        find_links=index.find_links if index else False,
        local=record.local,
        extras=tuple(record.extras),
        pythons=tuple(record.pythons) or _within(record.requires_python),
        requires_python=record.requires_python,
        cuda=_dotted(record.cuda),
        cudnn=_dotted(record.cudnn),
        compute_capabilities=tuple(Dotted.parse(text) for text in record.compute_capabilities),
        compute_capability_min=_dotted(record.compute_capability_min),
        ptx=_dotted(record.ptx),
        glibc=_dotted(record.glibc),
        cpu_archs=tuple(record.cpu_archs),
        is_gone=record.is_gone,
        takes_newest_cudnn=record.takes_newest_cudnn,
        about=MappingProxyType(dict(_facts(table, record, version))),
    )


def _dotted(text: str | None) -> Dotted | None:
    return Dotted.parse(text) if text else None


@cache
def _within(requires_python: str) -> tuple[str, ...]:
    if not requires_python:
        return ()
    asked = SpecifierSet(requires_python)
    return tuple(python for python in PYTHONS if asked.contains(f"{python}.99"))


def _facts(table: FrameworkTable, record: BuildRecord, version: str) -> Iterator[tuple[str, Fact]]:
    local = f"+{record.local}" if record.local else ""
    name = f"{record.package} {version}{local}"
    kind = "with CUDA" if record.device == "cuda" else "for the CPU"
    said = {
        "device": f"{name} is a build {kind}",
        "pythons": f"{name} has wheels for Python {', '.join(record.pythons)}",
        "requires_python": f"{name} asks for Python {record.requires_python}",
        "cpu_archs": f"{name} has wheels for {', '.join(record.cpu_archs)}",
        "glibc": f"{name} needs glibc {record.glibc}",
        "cuda": f"{name} was built for CUDA {record.cuda}",
        "cudnn": f"{name} was built for cuDNN {record.cudnn}",
        "compute_capabilities": (
            f"{name} holds code for compute capabilities {', '.join(record.compute_capabilities)}"
        ),
        "compute_capability_min": (
            f"{name} needs compute capability {record.compute_capability_min}"
        ),
        "ptx": f"{name} holds PTX for compute capability {record.ptx}",
        "takes_newest_cudnn": f"{name} leaves open which cuDNN {record.cudnn} or newer comes with it",
        "is_gone": f"the index has no wheel of {name}",
    }
    for field, text in said.items():
        if getattr(record, field):
            sources = table.cite(record.sources_of(field))
            fact = Fact(text, sources, record.is_verified(field))
            yield field, fact
            if field == "requires_python" and not record.pythons:
                yield "pythons", fact
