"""Which package a file of an image came with: a wheel, or one of Debian's."""

from __future__ import annotations

import csv
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twinforge.smoke.elf.tree import Tree

__all__ = ["NOBODY", "Owner", "find_owners"]

_RECORD = re.compile(r"(?P<site>.*)/(?P<name>[^/]+)-(?P<version>[^-/]+)\.dist-info/RECORD")
_LIST = re.compile(r"/var/lib/dpkg/info/(?P<name>[^/:]+)(?::[^/]*)?\.list")
_PACKAGE = "Package: "
_VERSION = "Version: "


@dataclass(frozen=True, slots=True, order=True)
class Owner:
    """A package; ``kind`` is ``wheel``, ``apt``, or empty for files that no package brought.

    ``site`` is the folder that a wheel was installed into.
    """

    kind: str
    name: str
    version: str
    site: str = ""

    def __str__(self) -> str:
        """Return it as people write it."""
        if self.kind == "wheel":
            return f"{self.name}=={self.version}"
        return f"{self.name}={self.version}" if self.kind else "no package"


NOBODY = Owner("", "", "")


def find_owners(tree: Tree) -> Mapping[str, Owner]:
    """Return the owner of each path that is a regular file, links in the way followed.

    Source: https://packaging.python.org/en/latest/specifications/recording-installed-packages/
    and the dpkg manual page (``/var/lib/dpkg/info/*.list``)
    """
    owners: dict[str, Owner] = {}
    versions = dict(_debian_versions(tree))
    for path, text in tree.texts.items():
        if record := _RECORD.fullmatch(path):
            name = canonicalize_name(record["name"])
            owner = Owner("wheel", name, record["version"], record["site"])
            for row in csv.reader(text.decode("utf-8", "replace").splitlines()):
                if row:
                    place = posixpath.normpath(posixpath.join(record["site"], row[0]))
                    owners[tree.real(place)] = owner
        elif listed := _LIST.fullmatch(path):
            owner = Owner("apt", listed["name"], versions.get(listed["name"], ""))
            for place in text.decode("utf-8", "replace").splitlines():
                real = tree.real(place)
                if real in tree.sizes:
                    owners.setdefault(real, owner)
    return owners


def _debian_versions(tree: Tree) -> Iterator[tuple[str, str]]:
    name = ""
    for line in tree.texts.get("/var/lib/dpkg/status", b"").decode("utf-8", "replace").splitlines():
        if line.startswith(_PACKAGE):
            name = line.removeprefix(_PACKAGE)
        elif line.startswith(_VERSION):
            yield name, line.removeprefix(_VERSION)
