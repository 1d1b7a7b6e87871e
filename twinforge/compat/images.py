"""The tags of nvidia/cuda: what is in them, and whether they are still there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from twinforge.compat.active import per_project
from twinforge.compat.cudnn_tables import load_cudnn_table
from twinforge.compat.facts import Dotted, Fact
from twinforge.compat.image_tables import load_image_table

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date

    from twinforge.compat.image_tables import EndRecord, ImageRecord, ImageTable, Status

__all__ = ["CudaImage", "cuda_images", "find_image", "image_tag"]

_REPOSITORIES = ("nvidia/cuda", "docker.io/nvidia/cuda", "nvcr.io/nvidia/cuda")
_FILES = ("images.yaml", "images-rpm.yaml")
_APT = frozenset({"debian", "ubuntu"})
"""The distributions of which all tags are in the first file."""
_SYSTEM = re.compile(r"(?P<name>[a-z]+)(?P<release>[0-9].*)")


@dataclass(frozen=True, slots=True)
class CudaImage:
    """One tag, such as ``12.4.1-cudnn-runtime-ubuntu22.04``.

    Attributes:
        tag: The tag.
        cuda: The CUDA release, as the tag writes it.
        flavour: ``base`` (the runtime library), ``runtime`` (all libraries) or ``devel``.
        system: The name of the system (``ubuntu-22.04``), empty where the tag says none.
        cudnn: What the tag calls its cuDNN (``cudnn8``), empty where it has none.
        cudnn_version: The cuDNN that its Dockerfile pins, where a source shows that.
        status: What NVIDIA's lists say: ``supported``, ``unsupported`` (end of life, to be
            deleted) or ``gone``; ``seen``: in no list, but in public Dockerfiles.
        status_fact: That, with its source.
        last_listed: When it was last in a list; ``None`` of what was only seen.
        end_of_life: Where NVIDIA's chart names a day.
        deletion: The day from which that chart expects it deleted.
        end_fact: The statement of those two days.
        removal: Somebody could not pull it any more.
        digests: What it was once, by third parties.
        cudnn_fact: The statement of its cuDNN's version.
    """

    tag: str
    cuda: Dotted
    flavour: str
    system: str
    cudnn: str
    cudnn_version: Dotted | None
    status: Status
    status_fact: Fact
    last_listed: date | None
    end_of_life: date | None
    deletion: date | None
    end_fact: Fact | None
    removal: Fact | None
    digests: tuple[str, ...]
    cudnn_fact: Fact | None = None

    @property
    def digest(self) -> str:
        """The digest, where the sources know exactly one."""
        return self.digests[0] if len(self.digests) == 1 else ""

    @property
    def facts(self) -> tuple[Fact, ...]:
        """Everything that is known of it, with sources."""
        return tuple(f for f in (self.status_fact, self.end_fact, self.removal) if f is not None)

    @property
    def reference(self) -> str:
        """What stands after ``FROM``."""
        return f"nvidia/cuda:{self.tag}"


@dataclass(frozen=True, slots=True)
class _Listing:
    """A file of tags, looked up by what it knows of a tag."""

    table: ImageTable
    records: Mapping[str, tuple[ImageRecord, str]]
    removals: Mapping[str, Fact]
    digests: Mapping[str, tuple[str, ...]]


def cuda_images(
    status: Status | None = None, systems: Collection[str] | None = None
) -> Mapping[str, CudaImage]:
    """Return every known tag, those of systems with apt first, oldest CUDA release first.

    Args:
        status: Of the tags that are wanted; None for all of them.
        systems: The names of the systems (``ubuntu-22.04``) whose tags are wanted; None for all of
            them, and for those that name no system.
    """
    # most of the thousands of tags are gone, and making what is known of each takes a while
    return MappingProxyType(
        {
            tag: _image(listing, tag)
            for listing in map(_listing, _files_of(systems))
            for tag, (record, _) in listing.records.items()
            if status in {None, record.status}
            and (systems is None or _system(record.system) in systems)
        }
    )


def _files_of(systems: Collection[str] | None) -> tuple[str, ...]:
    """Return the files that can have tags of some systems: reading one takes a while."""
    if systems is None or any(name.partition("-")[0] not in _APT for name in systems):
        return _FILES
    return _FILES[:1]


def image_tag(reference: str) -> str:
    """Return the tag of a reference to nvidia/cuda, or an empty string for another image.

    >>> image_tag("nvidia/cuda:9.0-base-ubuntu16.04@sha256:00"), image_tag("ubuntu:22.04")
    ('9.0-base-ubuntu16.04', '')
    """
    repository, _, tag = reference.partition("@")[0].rpartition(":")
    return tag if repository in _REPOSITORIES else ""


def find_image(reference: str) -> CudaImage | None:
    """Return the tag that a reference names, or ``None`` where there is no data on it.

    Args:
        reference: ``nvidia/cuda:9.0-base-ubuntu16.04``, with or without its registry and digest.
    """
    tag = image_tag(reference)
    for name in _FILES:
        listing = _listing(name)
        if tag in listing.records:
            return _image(listing, tag)
    return None


@per_project
def _listing(name: str) -> _Listing:
    table = load_image_table(name)
    digests: dict[str, tuple[str, ...]] = {}
    for record in table.digests:
        digests[record.tag] = (*digests.get(record.tag, ()), record.digest)
    records = {
        "-".join(part for part in (record.cuda, flavour, record.system) if part): (record, flavour)
        for record in table.images
        for flavour in record.flavours
    }
    removals = {
        name: Fact(f"nvidia/cuda:{name} was removed", table.cite(record.source), record.verified)
        for record in table.removals
        for name in (*record.cuda, *record.tags)
    }
    return _Listing(table, records, removals, digests)


_SAID: Mapping[Status, str] = MappingProxyType(
    {
        "supported": "is in NVIDIA's list of supported tags",
        "unsupported": "is in NVIDIA's list of tags at their end of life, which are deleted",
        "gone": "is in none of NVIDIA's lists any more",
        "seen": "is in none of NVIDIA's lists that were read, but in public Dockerfiles",
    }
)


def _image(listing: _Listing, tag: str) -> CudaImage:
    record, flavour = listing.records[tag]
    cudnn, _, plain = flavour.rpartition("-")
    listed = f" (last listed {record.last})" if record.last else ""
    said = f"nvidia/cuda:{tag} {_SAID[record.status]}{listed}"
    end = _ends().get(record.cuda)
    system = _system(record.system)
    pinned = _pinned().get((record.cuda, cudnn, system)) if cudnn else None
    return CudaImage(
        tag=tag,
        cuda=Dotted.parse(record.cuda),
        flavour=plain,
        system=system,
        cudnn=cudnn,
        cudnn_version=pinned[0] if pinned else None,
        status=record.status,
        status_fact=Fact(said, listing.table.cite(record.source), record.verified),
        last_listed=record.last,
        end_of_life=end[0].end_of_life if end else None,
        deletion=end[0].deletion if end else None,
        end_fact=end[1] if end else None,
        removal=listing.removals.get(tag) or _listing(_FILES[0]).removals.get(record.cuda),
        digests=listing.digests.get(tag, ()),
        cudnn_fact=pinned[1] if pinned else None,
    )


def _system(written: str) -> str:
    match = _SYSTEM.fullmatch(written)
    return f"{match['name']}-{match['release']}" if match else written


@per_project
def _ends() -> Mapping[str, tuple[EndRecord, Fact]]:
    table = load_image_table(_FILES[0])
    found = {}
    for end in table.ends:
        text = (
            f"nvidia/cuda:{end.cuda} reached its end of life on {end.end_of_life} and is to be "
            f"deleted from {end.deletion} on"
        )
        found[end.cuda] = (end, Fact(text, table.cite(end.source), end.verified))
    return MappingProxyType(found)


@per_project
def _pinned() -> Mapping[tuple[str, str, str], tuple[Dotted, Fact]]:
    """The cuDNN of an image by its CUDA release, the part of its tag, and its system."""
    table = load_cudnn_table()
    found = {}
    for record in table.images:
        text = f"images of CUDA {record.cuda} with {record.part} hold cuDNN {record.version}"
        fact = Fact(text, table.cite(record.source), record.verified)
        for system in record.systems:
            found[record.cuda, record.part, system] = Dotted.parse(record.version), fact
    return MappingProxyType(found)
