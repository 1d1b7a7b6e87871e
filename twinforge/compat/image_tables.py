"""The data file of nvidia/cuda's tags."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from twinforge.compat import tablefile
from twinforge.compat.tablefile import Day, Name, Sourced, Table, Version

__all__ = [
    "DigestRecord",
    "EndRecord",
    "ImageRecord",
    "ImageTable",
    "RemovalRecord",
    "load_image_table",
    "parse_image_table",
]

Status = Literal["supported", "unsupported", "gone", "seen"]
"""``seen`` is a tag that no list has, only somebody's Dockerfile."""

_Flavour = Annotated[str, StringConstraints(pattern=r"^(?:cudnn[0-9]*-)?(?:base|runtime|devel)$")]
_Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


class ImageRecord(Sourced):
    """Tags of one CUDA release on one system that were listed alike.

    ``system`` is as tags write it, empty where they name none; ``first`` and ``last`` say when the
    lists had them.
    """

    told_by: ClassVar[tuple[str, ...]] = ("cuda", "system")
    split_by: ClassVar[tuple[str, ...]] = ("flavours",)

    cuda: Version
    system: str = ""
    flavours: Annotated[list[_Flavour], Field(min_length=1)]
    status: Status
    first: Day | None = None
    last: Day | None = None


class EndRecord(Sourced):
    """The end of life of all tags of a release, and when they are to be deleted."""

    told_by: ClassVar[tuple[str, ...]] = ("cuda",)

    cuda: Version
    end_of_life: Day
    deletion: Day


class RemovalRecord(Sourced):
    """Tags, or all tags of releases, that could not be pulled any more."""

    cuda: list[Version] = Field(default_factory=list)
    tags: list[Name] = Field(default_factory=list)

    @model_validator(mode="after")
    def _something_is_named(self) -> Self:
        if bool(self.cuda) == bool(self.tags):
            message = "a removal names releases or tags"
            raise ValueError(message)
        return self


class DigestRecord(Sourced):
    """What a tag was once."""

    told_by: ClassVar[tuple[str, ...]] = ("tag",)

    tag: Name
    digest: _Digest


class ImageTable(Table):
    """``data/images.yaml``, and ``data/images-rpm.yaml`` for the systems without apt."""

    images: list[ImageRecord]
    ends: list[EndRecord] = Field(default_factory=list)
    removals: list[RemovalRecord] = Field(default_factory=list)
    digests: list[DigestRecord] = Field(default_factory=list)


def load_image_table(name: str = "images.yaml") -> ImageTable:
    """Read one of the two files of tags that come with Twinforge."""
    return tablefile.load(ImageTable, name)


def parse_image_table(text: str, name: str = "images.yaml") -> ImageTable:
    """Check the text of a file of tags.

    Raises:
        TwinforgeError: It does not follow the schema; the message names every place.
    """
    return tablefile.parse(ImageTable, text, name)
