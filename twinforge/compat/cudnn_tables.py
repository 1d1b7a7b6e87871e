"""The data file of cuDNN."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from twinforge.compat import tablefile
from twinforge.compat.tablefile import Count, Name, Sourced, Strict, Table, Version

__all__ = [
    "CudnnTable",
    "EraRecord",
    "ImageRecord",
    "MeasuredRecord",
    "PinRecord",
    "RangeRecord",
    "RegimeRecord",
    "SupportRecord",
    "TagPartRecord",
    "WheelRecord",
    "load_cudnn_table",
    "parse_cudnn_table",
]

_Versions = Annotated[list[Version], Field(min_length=1)]


class RegimeRecord(Sourced):
    """What a major is called in apt; with ``cuda`` there is one package per CUDA major."""

    told_by: ClassVar[tuple[str, ...]] = ("major", "cuda")

    major: Count
    cuda: Version | None = None
    runtime: Name
    dev: Name


class TagPartRecord(Sourced):
    """What tags of nvidia/cuda call it, from one CUDA release to another."""

    told_by: ClassVar[tuple[str, ...]] = ("first",)

    first: Version
    last: Version | None = None
    parts: Annotated[list[Name], Field(min_length=1)]


class WheelRecord(Sourced):
    """Versions of a wheel package with the same platform tag."""

    told_by: ClassVar[tuple[str, ...]] = ("package",)
    split_by: ClassVar[tuple[str, ...]] = ("versions",)

    package: Name
    cuda: Version
    versions: _Versions
    glibc: Version


class MeasuredRecord(Sourced):
    """What the libraries in wheels hold."""

    told_by: ClassVar[tuple[str, ...]] = ("package",)
    split_by: ClassVar[tuple[str, ...]] = ("versions",)

    package: Name
    versions: _Versions
    compute_capabilities: _Versions
    ptx: Version | None = None


class EraRecord(Sourced):
    """Releases for one CUDA major between which the oldest and newest GPU do not change."""

    told_by: ClassVar[tuple[str, ...]] = ("first", "cuda")

    first: Version
    last: Version | None = None
    cuda: Version
    oldest: Version
    newest: Version


class RangeRecord(Strict):
    """From one CUDA release to another."""

    first: Version
    last: Version


class SupportRecord(Sourced):
    """A row of a support table: the releases, their CUDA releases and GPUs."""

    told_by: ClassVar[tuple[str, ...]] = ("first", "last")

    first: Version
    last: Version
    cuda: Annotated[list[RangeRecord], Field(min_length=1)]
    oldest: Version | None = None
    newest: Version | None = None


class PinRecord(Sourced):
    """The version of an apt package of one release for one CUDA, seen on these systems."""

    told_by: ClassVar[tuple[str, ...]] = ("version", "cuda")

    version: Version
    cuda: Version
    pin: Name
    systems: Annotated[list[Name], Field(min_length=1)]


class ImageRecord(Sourced):
    """The release in the images of nvidia/cuda with this CUDA release and part of the tag."""

    told_by: ClassVar[tuple[str, ...]] = ("cuda", "part")
    split_by: ClassVar[tuple[str, ...]] = ("systems",)

    cuda: Version
    part: Name
    version: Version
    systems: Annotated[list[Name], Field(min_length=1)]


class CudnnTable(Table):
    """``data/cudnn.yaml``."""

    regimes: list[RegimeRecord]
    tag_parts: list[TagPartRecord]
    wheels: list[WheelRecord]
    measured: list[MeasuredRecord]
    eras: list[EraRecord]
    support: list[SupportRecord]
    pins: list[PinRecord]
    images: list[ImageRecord]


def load_cudnn_table() -> CudnnTable:
    """Read the cuDNN releases that come with Twinforge."""
    return tablefile.load(CudnnTable, "cudnn.yaml")


def parse_cudnn_table(text: str) -> CudnnTable:
    """Check the text of ``cudnn.yaml``.

    Raises:
        TwinforgeError: It does not follow the schema; the message names every place.
    """
    return tablefile.parse(CudnnTable, text, "cudnn.yaml")
