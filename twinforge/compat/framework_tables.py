"""The data files of frameworks: one per framework, and an index of their names."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, Field, model_validator

from twinforge.compat import tablefile
from twinforge.compat.tablefile import Name, Sourced, Strict, Table
from twinforge.compat.tablefile import Version as DottedText

__all__ = [
    "BuildRecord",
    "FrameworkTable",
    "IndexRecord",
    "NamesTable",
    "load_framework_table",
    "load_names_table",
    "parse_framework_table",
]


def _pep440(text: str) -> str:
    try:
        Version(text)
    except InvalidVersion as error:
        raise ValueError(str(error)) from error
    return text


Pep440 = Annotated[str, AfterValidator(_pep440)]


class IndexRecord(Sourced):
    """A package index, or (``find_links``) a page of links to wheels."""

    url: Name
    find_links: bool = False


class BuildRecord(Sourced):
    """Versions of one package that were built alike.

    ``local`` is the local part of their version (``2.5.1+cu121``); ``index`` a key of the file's
    ``indexes``, empty for the default one. What no source gives is left out. Of what ``is_gone`` the
    index has no wheel any more: what is known comes from elsewhere. The extras of a build that
    ``takes_newest_cudnn`` leave open which cuDNN of its major comes.
    """

    told_by: ClassVar[tuple[str, ...]] = ("device", "package", "extras", "index", "local")
    split_by: ClassVar[tuple[str, ...]] = ("versions", "cpu_archs")

    versions: Annotated[list[Pep440], Field(min_length=1)]
    device: Literal["cpu", "cuda"]
    package: Name
    extras: list[Name] = Field(default_factory=list)
    index: str = ""
    local: str = ""
    pythons: list[DottedText] = Field(default_factory=list)
    requires_python: str = ""
    cpu_archs: list[Literal["amd64", "arm64"]] = Field(default_factory=list)
    glibc: DottedText | None = None
    cuda: DottedText | None = None
    cudnn: DottedText | None = None
    compute_capabilities: list[DottedText] = Field(default_factory=list)
    compute_capability_min: DottedText | None = None
    ptx: DottedText | None = None
    is_gone: bool = False
    takes_newest_cudnn: bool = False

    @model_validator(mode="after")
    def _only_cuda_builds_have_cuda(self) -> Self:
        of_cuda = (self.cuda, self.cudnn, self.ptx, self.compute_capability_min)
        if self.device == "cpu" and (any(of_cuda) or self.compute_capabilities):
            message = "a build for the CPU has no CUDA, cuDNN or compute capabilities"
            raise ValueError(message)
        return self


class FrameworkTable(Table):
    """``data/frameworks/<framework>.yaml``."""

    framework: Name
    indexes: dict[Name, IndexRecord] = Field(default_factory=dict)
    builds: list[BuildRecord]

    @model_validator(mode="after")
    def _indexes_are_known_and_builds_are_told_apart(self) -> Self:
        seen: set[tuple[object, ...]] = set()
        for build in self.builds:
            if build.index and build.index not in self.indexes:
                message = f"no index is called {build.index}"
                raise ValueError(message)
            for version in build.versions:
                key = (version, build.device, build.package, *build.extras, build.index)
                key = (*key, build.local, *build.cpu_archs)
                if key in seen:
                    message = f"{build.package} {version} for {build.device} is there twice"
                    raise ValueError(message)
                seen.add(key)
        return self


class FrameworkNames(Strict):
    """What one framework is called: its file's name, and what people and indexes call it."""

    also: list[Name] = Field(default_factory=list)
    packages: Annotated[list[Name], Field(min_length=1)]


class NamesTable(Strict):
    """``data/frameworks.yaml``."""

    frameworks: dict[Name, FrameworkNames]


def load_names_table() -> NamesTable:
    """Read what frameworks are called."""
    return tablefile.shipped(NamesTable, "frameworks.yaml")


def load_framework_table(framework: str) -> FrameworkTable:
    """Read the file of one framework."""
    return tablefile.load(FrameworkTable, f"frameworks/{framework}.yaml")


def parse_framework_table(text: str, name: str) -> FrameworkTable:
    """Check the text of a framework's file.

    Raises:
        TwinforgeError: It does not follow the schema; the message names every place.
    """
    return tablefile.parse(FrameworkTable, text, name)
