"""SageMaker's instance types: what is in them, and which drivers their hosts have."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING

from twinforge.compat.active import per_project
from twinforge.compat.facts import Dotted, Fact, Use
from twinforge.compat.tables import load_instance_table
from twinforge.errors import UnknownError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twinforge.compat.tables import FamilyRecord, InstanceTable, SizeRecord

__all__ = ["Ami", "Gpu", "HostDriver", "InstanceType", "find_instance", "instance_types"]


@dataclass(frozen=True, slots=True)
class HostDriver:
    """A driver of a host; ``cuda`` is the newest CUDA that it brings, where a source says it."""

    driver: Dotted
    cuda: Dotted | None
    fact: Fact


@dataclass(frozen=True, slots=True)
class Ami:
    """An AMI version that can be asked for, seen from one instance type.

    ``listing`` is the fact that it runs on this type's family, or ``None`` where no source says
    so, which is not a "no".
    """

    name: str
    use: Use
    host: HostDriver
    listing: Fact | None


@dataclass(frozen=True, slots=True)
class Gpu:
    """An NVIDIA GPU: its model and compute capability."""

    model: str
    compute_capability: Dotted
    fact: Fact

    @property
    def sm(self) -> str:
        """The compute capability as compilers write it: ``sm_37``."""
        return "sm_" + self.compute_capability.text.replace(".", "")


@dataclass(frozen=True, slots=True)
class InstanceType:
    """One type, such as ``ml.p2.xlarge``.

    ``accelerator`` is ``none``, ``nvidia``, ``neuron`` or ``habana``; ``gpu`` is ``None`` where it
    is not an NVIDIA GPU. Numbers that no source gives are 0. ``default_drivers`` lacks the uses
    for which no source gives one; ``amis`` are in the order of the data, lowest driver first.
    """

    name: str
    family: str
    cpu_arch: str
    accelerator: str
    model: str
    gpu: Gpu | None
    accelerators: int
    accelerator_memory_mib: int
    vcpus: int
    memory_mib: int
    uses: tuple[Use, ...]
    default_drivers: Mapping[Use, HostDriver]
    amis: tuple[Ami, ...]
    sources: tuple[str, ...]


@per_project
def instance_types() -> Mapping[str, InstanceType]:
    """Return every known type by its name, in the order of the data."""
    table = load_instance_table()
    found = (
        _instance(table, family, record, size, numbers)
        for family, record in table.families.items()
        for size, numbers in record.sizes.items()
    )
    return MappingProxyType({instance.name: instance for instance in found})


def find_instance(name: str) -> InstanceType:
    """Return the type of that name.

    Raises:
        UnknownError: There is no data on it; a known family with another size is unknown too.
    """
    known = instance_types()
    if name in known:
        return known[name]
    message = f"there is no data on the instance type '{name}'"
    raise UnknownError(message, hint=_suggestion(name, known))


def _suggestion(name: str, known: Mapping[str, InstanceType]) -> str:
    table = load_instance_table()
    parts = name.removeprefix("ml.").split(".")
    sizes = [other.name for other in known.values() if other.family == parts[0]]
    close = get_close_matches(".".join(("ml", *parts)), known, n=1, cutoff=0.88)
    if close and (not sizes or close[0] in sizes):
        return f"did you mean '{close[0]}'?"
    if sizes:
        return f"known sizes: {', '.join(sizes)}"
    return f"known types are those of botocore {table.botocore}, such as 'ml.m5.xlarge'"


def _instance(
    table: InstanceTable, family: str, record: FamilyRecord, size: str, numbers: SizeRecord
) -> InstanceType:
    capability = record.compute_capability
    gpu = None
    if capability is not None:
        value = Dotted.parse(capability.value)
        sources = table.cite(capability.source)
        text = f"{family} has the {record.model}, of compute capability {value}"
        gpu = Gpu(record.model, value, Fact(text, sources, capability.verified))
    return InstanceType(
        name=f"ml.{family}.{size}",
        family=family,
        cpu_arch=record.cpu_arch,
        accelerator=record.accelerator,
        model=record.model,
        gpu=gpu,
        accelerators=numbers.accelerators,
        accelerator_memory_mib=numbers.accelerator_memory_mib,
        vcpus=numbers.vcpus,
        memory_mib=numbers.memory_mib,
        uses=tuple(numbers.uses or record.uses),
        default_drivers=_default_drivers(table, family),
        amis=_amis(table, family) if gpu is not None else (),
        sources=table.cite(record.source),
    )


def _default_drivers(table: InstanceTable, family: str) -> Mapping[Use, HostDriver]:
    found: dict[Use, HostDriver] = {}
    for record in table.default_drivers:
        if family in record.families:
            for use in record.uses:
                text = f"{use} hosts of {family} have driver {record.driver} by default"
                fact = Fact(text, table.cite(record.source), record.verified)
                cuda = Dotted.parse(record.cuda)
                found[use] = HostDriver(Dotted.parse(record.driver), cuda, fact)
    return MappingProxyType(found)


def _amis(table: InstanceTable, family: str) -> tuple[Ami, ...]:
    found = []
    for record in table.amis:
        fact = Fact(
            f"{record.name} has driver {record.driver}", table.cite(record.source), record.verified
        )
        cuda = Dotted.parse(record.cuda) if record.cuda is not None else None
        listing = None
        if record.families is not None and family in record.families.names:
            listing = Fact(
                f"{record.name} runs on {family}",
                table.cite(record.families.source),
                record.families.verified,
            )
        host = HostDriver(Dotted.parse(record.driver), cuda, fact)
        found.append(Ami(record.name, record.use, host, listing))
    return tuple(found)
