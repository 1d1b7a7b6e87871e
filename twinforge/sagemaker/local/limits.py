"""The CPUs and the memory that an instance type gives a container, as far as an engine has them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twinforge.compat.instances import InstanceType
    from twinforge.sagemaker.local.desk import Machine

__all__ = ["Limits", "limits_for"]

_MIB = 1 << 20
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Limits:
    """What a container may use.

    Attributes:
        cpus: How many, 0 where nothing is limited.
        memory_bytes: How much, 0 where nothing is limited.
        gpus: Whether it gets the engine's GPUs.
        notes: Where this is not what the instance type has, a sentence each.
    """

    cpus: int
    memory_bytes: int
    gpus: bool
    notes: tuple[str, ...]


def limits_for(instance: InstanceType, machine: Machine) -> Limits:
    """Return the limits of an instance type on an engine; what it lacks is said."""
    notes: list[str] = []
    cpus, memory = instance.vcpus, instance.memory_mib * _MIB
    if not cpus or not memory:
        notes.append(
            f"how many CPUs and how much memory {instance.name} has is not known: no limit"
        )
    if cpus > machine.cpus:
        notes.append(f"{instance.name} has {cpus} vCPUs, the engine {machine.cpus}")
        cpus = machine.cpus
    if memory > machine.memory_bytes:
        has = f"the engine {machine.memory_bytes / _GIB:.1f} GiB"
        notes.append(f"{instance.name} has {memory / _GIB:.1f} GiB of memory, {has}")
        memory = machine.memory_bytes
    wants_gpus = instance.accelerator == "nvidia"
    if instance.accelerator != "none" and not (wants_gpus and machine.has_gpus):
        notes.append(f"{instance.name} has {instance.model}, the engine can't give it: CPU only")
    return Limits(cpus, memory, wants_gpus and machine.has_gpus, tuple(notes))
