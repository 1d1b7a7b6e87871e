"""The data files, read strictly: what is misspelt, has no source or is of another type is refused."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from twinforge.compat import tablefile
from twinforge.compat.facts import Use  # noqa: TC001 - pydantic reads it when classes are made
from twinforge.compat.tablefile import Count, Day, Name, Sourced, Strict, Table, Version

__all__ = [
    "AmiRecord",
    "CudaTable",
    "DriverRecord",
    "FamilyRecord",
    "ForwardRecord",
    "GateRecord",
    "InstanceTable",
    "ManylinuxRecord",
    "PatchRecord",
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


class VersionRecord(Sourced):
    """A version that has a source of its own."""

    value: Version


class SizeRecord(Strict):
    """One size of a family; 0 and an empty list are "not given"."""

    uses: list[Use] = Field(default_factory=list)
    vcpus: Count | Literal[0] = 0
    memory_mib: Count | Literal[0] = 0
    accelerators: Count | Literal[0] = 0
    accelerator_memory_mib: Count | Literal[0] = 0


class FamilyRecord(Sourced):
    """One family: ``p2`` of ``ml.p2.xlarge``."""

    cpu_arch: Literal["amd64", "arm64"]
    accelerator: Literal["none", "nvidia", "neuron", "habana"]
    model: str = ""
    compute_capability: VersionRecord | None = None
    uses: Annotated[list[Use], Field(min_length=1)]
    sizes: Annotated[dict[Name, SizeRecord], Field(min_length=1)]

    @model_validator(mode="after")
    def _gpus_are_described(self) -> Self:
        if (self.accelerator == "nvidia") != (self.compute_capability is not None):
            message = "compute_capability belongs to NVIDIA GPUs, and to all of them"
            raise ValueError(message)
        return self


class DriverRecord(Sourced):
    """The driver of a host where no AMI version is asked for."""

    split_by: ClassVar[tuple[str, ...]] = ("uses", "families")

    uses: Annotated[list[Use], Field(min_length=1)]
    families: Annotated[list[Name], Field(min_length=1)]
    driver: Version
    cuda: Version


class NamedFamilies(Sourced):
    """The families that a source says an AMI runs on."""

    names: Annotated[list[Name], Field(min_length=1)]


class AmiRecord(Sourced):
    """An AMI version that can be asked for."""

    told_by: ClassVar[tuple[str, ...]] = ("name", "use")

    name: Name
    use: Literal["hosting", "transform"]
    driver: Version
    cuda: Version | None = None
    families: NamedFamilies | None = None


class BranchRecord(Sourced):
    """The newest driver branch that still drives compute capabilities ``first`` to ``last``."""

    told_by: ClassVar[tuple[str, ...]] = ("name",)

    first: Version
    last: Version
    name: Name
    branch: Version


class PatchRecord(Sourced):
    """One patch release, such as 12.9.1, and the driver that it came with."""

    told_by: ClassVar[tuple[str, ...]] = ("version",)

    version: Version
    driver: Version | None = None


class ForwardRecord(Sourced):
    """The package that lets an older driver run a newer CUDA: ``cuda-compat-12-9``."""

    package: Name
    first: Version
    gpus: Name


class GateRecord(Sourced):
    """What an image of nvidia/cuda demands of the host when it starts.

    One of: a driver that brings ``cuda``, a driver of one of the ``branches``, or any from
    ``driver`` on.
    """

    told_by: ClassVar[tuple[str, ...]] = ("image",)
    split_by: ClassVar[tuple[str, ...]] = ("systems",)

    image: Version
    systems: Annotated[list[Name], Field(min_length=1)]
    cuda: Version
    branches: list[Version] = Field(default_factory=list)
    driver: Version | None = None


class SwitchRecord(Sourced):
    """The environment variable that turns the demand off."""

    name: Name


class ReleaseRecord(Sourced):
    """One CUDA release, such as 12.9."""

    driver: VersionRecord | None = None
    compute_capabilities: Annotated[list[Version], Field(min_length=1)]


class InstanceTable(Table):
    """``data/instances.yaml``."""

    botocore: Name
    families: dict[Name, FamilyRecord]
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


class CudaTable(Table):
    """``data/cuda.yaml``."""

    releases: dict[Version, ReleaseRecord]
    minor_version_drivers: dict[Version, VersionRecord]
    last_driver_branches: list[BranchRecord]
    binary_compatibility: Sourced
    patches: list[PatchRecord]
    forward_compatibility: ForwardRecord
    image_gates: list[GateRecord]
    gate_switch: SwitchRecord


class SystemRecord(Sourced):
    """A release of a distribution; ``python`` is what its archive calls python3, if it is known.

    Free security updates of its own team end at ``end_of_life``.
    """

    codename: Name
    glibc: Version
    python: Version | None = None
    end_of_life: Day | None = None
    end_of_lts: Day | None = None
    end_of_paid_support: Day | None = None


class ManylinuxRecord(Sourced):
    """The glibc that a wheel's platform tag promises to be enough, and the first pip to know it."""

    glibc: Version
    pip: Version


class SystemTable(Table):
    """``data/systems.yaml``."""

    systems: dict[Name, SystemRecord]
    manylinux: dict[Name, ManylinuxRecord]


def load_instance_table() -> InstanceTable:
    """Read the instance types that come with Twinforge."""
    return tablefile.load(InstanceTable, "instances.yaml")


def load_cuda_table() -> CudaTable:
    """Read the CUDA releases that come with Twinforge."""
    return tablefile.load(CudaTable, "cuda.yaml")


def load_system_table() -> SystemTable:
    """Read the systems that come with Twinforge."""
    return tablefile.load(SystemTable, "systems.yaml")


def parse_instance_table(text: str) -> InstanceTable:
    """Check the text of ``instances.yaml``.

    Raises:
        TwinforgeError: It does not follow the schema; the message names every place.
    """
    return tablefile.parse(InstanceTable, text, "instances.yaml")


def parse_cuda_table(text: str) -> CudaTable:
    """Check the text of ``cuda.yaml``.

    Raises:
        TwinforgeError: It does not follow the schema; the message names every place.
    """
    return tablefile.parse(CudaTable, text, "cuda.yaml")
