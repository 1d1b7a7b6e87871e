"""The data files, read strictly: what is misspelt, has no source or is of another type is refused."""

from __future__ import annotations

from datetime import date  # noqa: TC003 - pydantic reads the annotation when the class is made
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from twinforge.compat.facts import Dotted, Use
from twinforge.errors import TwinforgeError

__all__ = [
    "AmiRecord",
    "CudaTable",
    "DriverRecord",
    "FamilyRecord",
    "InstanceTable",
    "ReleaseRecord",
    "SizeRecord",
    "SystemRecord",
    "SystemTable",
    "load_cuda_table",
    "load_instance_table",
    "load_system_table",
    "parse_cuda_table",
    "parse_instance_table",
]


def _dotted(text: str) -> str:
    Dotted.parse(text)
    return text


_Version = Annotated[str, AfterValidator(_dotted)]
_Name = Annotated[str, Field(min_length=1)]
_Count = Annotated[int, Field(ge=1)]
_Sources = Annotated[list[_Name], Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class _Sourced(_Strict):
    """A record that says where it was read; ``source`` holds keys of the file's ``sources``."""

    source: _Sources
    verified: bool
    note: str = ""


class VersionRecord(_Sourced):
    """A version that has a source of its own."""

    value: _Version


class SizeRecord(_Strict):
    """One size of a family; 0 and an empty list are "not given"."""

    uses: list[Use] = []
    vcpus: _Count | Literal[0] = 0
    memory_mib: _Count | Literal[0] = 0
    accelerators: _Count | Literal[0] = 0
    accelerator_memory_mib: _Count | Literal[0] = 0


class FamilyRecord(_Sourced):
    """One family: ``p2`` of ``ml.p2.xlarge``."""

    cpu_arch: Literal["amd64", "arm64"]
    accelerator: Literal["none", "nvidia", "neuron", "habana"]
    model: str = ""
    compute_capability: VersionRecord | None = None
    uses: Annotated[list[Use], Field(min_length=1)]
    sizes: Annotated[dict[_Name, SizeRecord], Field(min_length=1)]

    @model_validator(mode="after")
    def _gpus_are_described(self) -> Self:
        if (self.accelerator == "nvidia") != (self.compute_capability is not None):
            message = "compute_capability belongs to NVIDIA GPUs, and to all of them"
            raise ValueError(message)
        return self


class DriverRecord(_Sourced):
    """The driver of a host where no AMI version is asked for."""

    uses: Annotated[list[Use], Field(min_length=1)]
    families: Annotated[list[_Name], Field(min_length=1)]
    driver: _Version
    cuda: _Version


class NamedFamilies(_Sourced):
    """The families that a source says an AMI runs on."""

    names: Annotated[list[_Name], Field(min_length=1)]


class AmiRecord(_Sourced):
    """An AMI version that can be asked for."""

    name: _Name
    use: Literal["hosting", "transform"]
    driver: _Version
    cuda: _Version | None = None
    families: NamedFamilies | None = None


class BranchRecord(_Sourced):
    """The newest driver branch that still drives compute capabilities ``first`` to ``last``."""

    first: _Version
    last: _Version
    name: _Name
    branch: _Version


class ReleaseRecord(_Sourced):
    """One CUDA release, such as 12.9."""

    driver: VersionRecord | None = None
    compute_capabilities: Annotated[list[_Version], Field(min_length=1)]


class _Table(_Strict):
    collected: date
    sources: dict[_Name, _Name]

    def cite(self, keys: list[str]) -> tuple[str, ...]:
        """Return the sources that the keys name."""
        return tuple(self.sources[key] for key in keys)

    @model_validator(mode="after")
    def _every_source_is_named_and_cited(self) -> Self:
        cited = set(_cited(self.model_dump()))
        if unknown := sorted(cited - set(self.sources)):
            message = f"no source is called {', '.join(unknown)}"
            raise ValueError(message)
        if unused := sorted(set(self.sources) - cited):
            message = f"nothing cites {', '.join(unused)}"
            raise ValueError(message)
        return self


_T = TypeVar("_T", bound=_Table)


class InstanceTable(_Table):
    """``data/instances.yaml``."""

    botocore: _Name
    families: dict[_Name, FamilyRecord]
    default_drivers: list[DriverRecord]
    amis: list[AmiRecord]

    @model_validator(mode="after")
    def _families_are_known_and_have_one_driver(self) -> Self:
        seen: set[tuple[str, str]] = set()
        for record in self.default_drivers:
            for pair in ((use, family) for use in record.uses for family in record.families):
                if pair in seen:
                    message = f"{pair[1]} has two default drivers for {pair[0]}"
                    raise ValueError(message)
                seen.add(pair)
        named = {family for _, family in seen}
        named.update(*(ami.families.names for ami in self.amis if ami.families is not None))
        if unknown := sorted(named - set(self.families)):
            message = f"no family is called {', '.join(unknown)}"
            raise ValueError(message)
        return self


class CudaTable(_Table):
    """``data/cuda.yaml``."""

    releases: dict[_Version, ReleaseRecord]
    minor_version_drivers: dict[_Version, VersionRecord]
    last_driver_branches: list[BranchRecord]
    binary_compatibility: _Sourced


class SystemRecord(_Sourced):
    """A release of a distribution; ``python`` is what its archive calls python3, if it is known."""

    codename: _Name
    glibc: _Version
    python: _Version | None = None


class SystemTable(_Table):
    """``data/systems.yaml``."""

    systems: dict[_Name, SystemRecord]


@cache
def load_instance_table() -> InstanceTable:
    """Read the instance types that come with Twinforge, once."""
    return parse_instance_table(_read("instances.yaml"))


@cache
def load_cuda_table() -> CudaTable:
    """Read the CUDA releases that come with Twinforge, once."""
    return parse_cuda_table(_read("cuda.yaml"))


@cache
def load_system_table() -> SystemTable:
    """Read the systems that come with Twinforge, once."""
    return _parse(SystemTable, _read("systems.yaml"), "systems.yaml")


def parse_instance_table(text: str) -> InstanceTable:
    """Check the text of ``instances.yaml``.

    Raises:
        TwinforgeError: It does not follow the schema; the message names every place.
    """
    return _parse(InstanceTable, text, "instances.yaml")


def parse_cuda_table(text: str) -> CudaTable:
    """Check the text of ``cuda.yaml``.

    Raises:
        TwinforgeError: It does not follow the schema; the message names every place.
    """
    return _parse(CudaTable, text, "cuda.yaml")


def _read(name: str) -> str:
    return (files("twinforge.compat") / "data" / name).read_text("utf-8")


def _parse(table: type[_T], text: str, name: str) -> _T:
    # libyaml parses the instances ten times as fast, where PyYAML was built with it
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return table.model_validate(yaml.load(text, Loader=loader))  # noqa: S506 - both are safe
    except (yaml.YAMLError, ValidationError) as error:
        message = f"the compatibility data in '{name}' is not valid: {error}"
        raise TwinforgeError(message) from error


def _cited(value: Any) -> list[str]:
    if isinstance(value, list):
        return [key for item in value for key in _cited(item)]
    if not isinstance(value, dict):
        return []
    own = value.get("source", [])
    return [
        *own,
        *(key for name, item in value.items() if name != "source" for key in _cited(item)),
    ]
