"""CUDA's libraries as apt packages: their names, and the versions that are known to fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from twinforge.compat.facts import Dotted, Fact
from twinforge.compat.library_tables import load_library_table
from twinforge.errors import UnknownError
from twinforge.model.suggest import known_or_close

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from twinforge.compat.library_tables import ArchiveRecord, NamesRecord, PinsRecord

__all__ = [
    "LibraryCode",
    "LibraryPackage",
    "library_names",
    "library_packages",
    "measured_code",
]


class LibraryPackage(NamedTuple):
    """An apt package; ``version`` is empty where no source pins it for that CUDA and system.

    ``component`` is that of the distribution's own archive, empty in NVIDIA's repository.
    """

    name: str
    version: str
    fact: Fact
    component: str = ""

    @property
    def pinned(self) -> str:
        """What apt is asked for."""
        return f"{self.name}={self.version}" if self.version else self.name


def library_names(cuda: str, system: str) -> tuple[str, ...]:
    """Return the libraries that :func:`library_packages` knows there.

    Raises:
        UnknownError: There is no data on that CUDA release and system.
    """
    found = _source(cuda, system)
    return tuple(found.libraries if isinstance(found, _Archive) else found.names.runtime)


def library_packages(
    cuda: str, system: str, libraries: Sequence[str], *, dev: bool = False
) -> tuple[LibraryPackage, ...]:
    """Return the packages that hold libraries, in the order asked for.

    Debian's own archive serves where it carries that release; else the names are those of NVIDIA's
    repository, with the versions that nvidia/cuda's newest image of the release pins.

    Args:
        cuda: A release, ``11.8`` or ``11.8.0``.
        system: Such as ``ubuntu-22.04`` or ``debian-12``.
        libraries: Such as ``cublas``, ``cufft``; the parts of NVIDIA's names.
        dev: Whether headers are wanted too.

    Raises:
        UnknownError: There is no data on the release, the system or a library.
    """
    found = _source(cuda, system)
    known = library_names(cuda, system)
    for library in libraries:
        if library not in known:
            message = f"there is no data on a CUDA library '{library}' of CUDA {cuda} on {system}"
            raise UnknownError(message, hint=known_or_close(library, known).removeprefix("; "))
    packages = tuple(found.packages(libraries, dev=dev))
    return tuple({package.name: package for package in packages}.values())


class LibraryCode(NamedTuple):
    """What a library holds binary code for, and the newest compute capability that it has PTX for."""

    library: str
    compute_capabilities: tuple[Dotted, ...]
    ptx: Dotted | None
    fact: Fact


def measured_code(package: str, version: str) -> tuple[LibraryCode, ...]:
    """Return what the libraries of a package were measured to hold; none where nobody looked.

    Args:
        package: A wheel (``nvidia-cublas-cu12``) or a package of Debian (``libcublas11``).
        version: Its whole version.
    """
    table = load_library_table()
    found = []
    for record in table.measured:
        if (record.package, record.version) == (package, version):
            capabilities = tuple(Dotted.parse(text) for text in record.compute_capabilities)
            listed = ", ".join(record.compute_capabilities)
            text = f"{record.library or package} of {package} {version} holds code for {listed}"
            fact = Fact(text, table.cite(record.source), record.verified)
            ptx = Dotted.parse(record.ptx) if record.ptx else None
            found.append(LibraryCode(record.library or package, capabilities, ptx, fact))
    return tuple(found)


class _Archive(NamedTuple):
    record: ArchiveRecord

    @property
    def libraries(self) -> Sequence[str]:
        return tuple(self.record.libraries)

    def packages(self, libraries: Sequence[str], *, dev: bool) -> Iterator[LibraryPackage]:
        record = self.record
        names = [name for library in libraries for name in record.libraries[library]]
        sources = load_library_table().cite(record.source)
        for name in (*names, *(record.dev if dev else ())):
            version = record.packages.get(name, "")
            text = f"{record.system} carries {name} {version} of CUDA {record.cuda}"
            component = record.components.get(name, record.component)
            yield LibraryPackage(name, version, Fact(text, sources, record.verified), component)


class _Repository(NamedTuple):
    names: NamesRecord
    cuda: Dotted
    system: str
    pins: PinsRecord | None

    def packages(self, libraries: Sequence[str], *, dev: bool) -> Iterator[LibraryPackage]:
        release = f"-{self.cuda.parts[0]}-{self.cuda.parts[1]}"
        for library in libraries:
            runtime, headers = self.names.whole.get(
                library,
                (f"{self.names.runtime[library]}{release}", ""),
            )
            yield self._package(runtime, "runtime")
            if dev and (headers or library in self.names.dev):
                yield self._package(headers or f"{self.names.dev[library]}{release}", "dev")

    def _package(self, name: str, field: str) -> LibraryPackage:
        table = load_library_table()
        version = self.pins.packages.get(name, "") if self.pins is not None else ""
        if self.pins is not None and version:
            text = f"nvidia/cuda's image of CUDA {self.pins.cuda} on {self.system} has {name} {version}"
            fact = Fact(text, table.cite(self.pins.source), self.pins.verified)
        else:
            text = f"a library of CUDA {self.cuda} is {name} in NVIDIA's repository"
            sources = table.cite(self.names.sources_of(field))
            fact = Fact(text, sources, self.names.is_verified(field))
        return LibraryPackage(name, version, fact)


def _source(cuda: str, system: str) -> _Archive | _Repository:
    table = load_library_table()
    try:
        asked = Dotted.parse(cuda)
    except ValueError:
        asked = Dotted((), cuda)
    for archive in table.archives:
        if archive.system == system and Dotted.parse(archive.cuda).parts == asked.parts[:2]:
            return _Archive(archive)
    pins = [
        record
        for record in table.pins
        if system in record.systems and _is_of(Dotted.parse(record.cuda), asked)
    ]
    names = next((record for record in table.names if _covers(record, asked)), None)
    if names is None or not pins:
        message = f"there is no data on CUDA {cuda}'s libraries in apt on '{system}'"
        raise UnknownError(message, hint=_known(asked, system))
    newest = max(pins, key=lambda record: Dotted.parse(record.cuda))
    return _Repository(names, asked, system, newest)


def _is_of(record: Dotted, asked: Dotted) -> bool:
    """Whether a record of 11.8.0 (or of 9.0) serves a question for 11.8 (or 9.0.176)."""
    length = min(len(record.parts), len(asked.parts))
    return length > 1 and record.parts[:length] == asked.parts[:length]


def _covers(record: NamesRecord, asked: Dotted) -> bool:
    last = Dotted.parse(record.last).parts if record.last else asked.parts[:2]
    return Dotted.parse(record.first).parts <= asked.parts[:2] <= last


def _known(asked: Dotted, system: str) -> str:
    table = load_library_table()
    releases = {r.cuda for r in table.pins if system in r.systems}
    releases |= {r.cuda for r in table.archives if r.system == system}
    if releases:
        shown = sorted(releases, key=Dotted.parse)
        return f"on {system} the data has CUDA {', '.join(shown)}"
    systems = {s for r in table.pins if _is_of(Dotted.parse(r.cuda), asked) for s in r.systems}
    if systems:
        return f"CUDA {asked} is known on {', '.join(sorted(systems))}"
    return ""
