"""What the names of a package's wheels say: Pythons, CPU architectures and glibc."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from twinforge.compat.glibc import manylinux_glibc

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.tags import Tag

    from twinforge.compat.facts import Dotted

__all__ = ["PublishedFile", "PublishedVersion", "published_versions"]

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_FREE_THREADED = "t"


class PublishedFile(NamedTuple):
    """A file of a package on an index."""

    filename: str
    requires_python: str
    is_yanked: bool


@dataclass(slots=True)
class PublishedVersion:
    """A version as its wheels for Linux describe it.

    Attributes:
        version: As the index writes it.
        requires_python: What its metadata asks for.
        pythons: By CPU architecture, the Pythons of wheels that are tagged for one; empty for wheels
            that any Python takes.
        glibcs: By CPU architecture, the oldest glibc of each wheel.
        is_pure: Whether it has a wheel for any platform.
    """

    version: str
    requires_python: str = ""
    pythons: dict[str, set[str]] = field(default_factory=dict)
    glibcs: dict[str, set[str]] = field(default_factory=dict)
    is_pure: bool = False


def published_versions(files: Iterable[PublishedFile]) -> dict[str, PublishedVersion]:
    """Return the released versions that have a wheel for Linux, by their text, oldest first.

    Pre-releases, yanked files, other systems and free-threaded Pythons do not count.
    """
    found: dict[str, PublishedVersion] = {}
    for file in files:
        if file.is_yanked or not file.filename.endswith(".whl"):
            continue
        try:
            _, version, _, tags = parse_wheel_filename(file.filename)
        except (InvalidWheelFilename, InvalidVersion):
            continue
        if version.is_prerelease or version.local:
            continue
        mine = found.setdefault(str(version), PublishedVersion(str(version)))
        if _add(mine, tags):
            mine.requires_python = file.requires_python or mine.requires_python
    known = {text: one for text, one in found.items() if one.is_pure or one.glibcs}
    return dict(sorted(known.items(), key=lambda pair: Version(pair[0])))


def _add(mine: PublishedVersion, tags: Iterable[Tag]) -> bool:
    """Add what one wheel's tags say; False: it is not for Linux."""
    oldest: dict[str, Dotted] = {}
    pythons: set[str] = set()
    for tag in tags:
        if tag.abi.startswith("cp") and tag.abi.endswith(_FREE_THREADED):
            continue
        if tag.platform == "any":
            mine.is_pure = True
            return True
        glibc = manylinux_glibc(tag.platform)
        arch = next((a for end, a in _ARCHITECTURES.items() if tag.platform.endswith(end)), "")
        if glibc is None or not arch:
            continue
        oldest[arch] = min(glibc[0], oldest.get(arch, glibc[0]))
        if tag.interpreter.startswith("cp") and tag.abi != "abi3":
            pythons.add(f"{tag.interpreter[2]}.{tag.interpreter[3:]}")
    for arch, glibc_of in oldest.items():
        mine.glibcs.setdefault(arch, set()).add(glibc_of.text)
        mine.pythons.setdefault(arch, set()).update(pythons)
    return bool(oldest)
