"""What an instance type takes: its architecture, its GPU, and the driver of its host.

A CPU image needs the CPU architecture only. A CUDA image needs an NVIDIA GPU, code for its compute
capability, and a driver on the host: the default one, or that of an AMI version that can be asked
for. How these go together with everything else is decided in :mod:`twinforge.compat.resolve`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from twinforge.compat.cuda import cuda_releases, first_with, last_branch
from twinforge.compat.facts import Dotted, Fact
from twinforge.compat.startup import forward_package, gate_branches
from twinforge.compat.tables import load_cuda_table
from twinforge.compat.verdict import FINE, Judgement, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinforge.compat.cuda import CudaRelease
    from twinforge.compat.facts import Use
    from twinforge.compat.instances import Ami, Gpu, HostDriver, InstanceType
    from twinforge.compat.startup import ImageGate

__all__ = [
    "Machine",
    "driver_fact",
    "judge_arch",
    "judge_code",
    "judge_driver",
    "judge_gate",
    "judge_gpu",
    "judge_release",
    "judge_use",
    "machines_of",
]

_AMI_PARAMETERS = {"hosting": "InferenceAmiVersion", "transform": "TransformAmiVersion"}
_NO = Judgement(Verdict.IMPOSSIBLE)


@dataclass(frozen=True, slots=True)
class Machine:
    """An instance type with one of the hosts that it can have; ``ami`` is None for the default.

    ``is_forward``: the image brings a driver's library of its own for a newer CUDA (cuda-compat).
    """

    instance: InstanceType
    use: Use
    ami: Ami | None = None
    is_forward: bool = False

    @property
    def host(self) -> HostDriver | None:
        """The driver of the host, or None where no source gives it."""
        return self.ami.host if self.ami else self.instance.default_drivers.get(self.use)


def machines_of(instance: InstanceType, use: Use) -> tuple[Machine, ...]:
    """Return a type with each host that it can have: the default one, then the lowest driver first.

    AMI versions that a source lists for the family go before those that none lists, and all of them
    before a default of which no source gives the driver. Last come the same hosts with NVIDIA's
    forward compatibility, which only an image can bring.
    """
    amis = sorted(
        (ami for ami in instance.amis if ami.use == use),
        key=lambda ami: (ami.listing is None, ami.host.driver),
    )
    asked_for = tuple(Machine(instance, use, ami) for ami in amis)
    default = Machine(instance, use)
    hosts = (default, *asked_for) if default.host else (*asked_for, default)
    known = (host for host in hosts if host.host and instance.gpu)
    return (*hosts, *(replace(host, is_forward=True) for host in known))


def judge_use(machine: Machine) -> Judgement:
    """Whether the type is offered for the use."""
    return FINE if machine.use in machine.instance.uses else _NO


def judge_arch(machine: Machine, cpu_arch: str) -> Judgement:
    """Whether the CPU runs programs of an architecture."""
    return FINE if cpu_arch == machine.instance.cpu_arch else _NO


def judge_gpu(machine: Machine) -> Judgement:
    """Whether there is an NVIDIA GPU."""
    return FINE if machine.instance.gpu is not None else _NO


def judge_release(machine: Machine, release: CudaRelease) -> Judgement:
    """Whether what a CUDA release compiles, and its libraries, run on the GPU."""
    gpu = machine.instance.gpu
    if gpu is None:
        return FINE
    capability = gpu.compute_capability
    if capability in release.compute_capabilities:
        return Judgement(Verdict.WORKS, (gpu.fact, release.capabilities_fact))
    if capability < release.first:
        return _NO
    if _has_older_of_major(capability, release.compute_capabilities):
        text = f"code for an older sm_{capability.major}x runs on {gpu.sm}"
        return Judgement(
            Verdict.CONDITIONAL,
            (gpu.fact, release.capabilities_fact, _binary_compatibility(text)),
            (f"CUDA {release.version} does not know {gpu.sm}, but {text}",),
        )
    return Judgement.unknown(
        f"whether code of CUDA {release.version} runs on {gpu.sm}, which it does not know: "
        "only PTX of an older major would, compiled when it is loaded"
    )


def judge_code(
    machine: Machine, capabilities: Sequence[Dotted], ptx: Dotted | None, what: str
) -> Judgement:
    """Whether compiled code runs on the GPU.

    Args:
        machine: Where.
        capabilities: What it was compiled for; not empty.
        ptx: The newest compute capability that it holds PTX of, if it is known to hold any.
        what: Whose code it is, for conditions.
    """
    gpu = machine.instance.gpu
    if gpu is None:
        return FINE
    capability = gpu.compute_capability
    if capability in capabilities:
        return FINE
    if _has_older_of_major(capability, capabilities):
        text = f"code for an older sm_{capability.major}x runs on {gpu.sm}"
        return Judgement(Verdict.WORKS, (_binary_compatibility(text),))
    if ptx is not None and ptx <= capability:
        text = f"{what} has no code for {gpu.sm}: its PTX of {ptx} is compiled when it is loaded"
        return Judgement(Verdict.CONDITIONAL, (_binary_compatibility(text),), (text,))
    return _NO


def judge_driver(machine: Machine, release: CudaRelease) -> Judgement:
    """Whether the host's driver serves a CUDA release; an AMI version is a condition."""
    gpu, host = machine.instance.gpu, machine.host
    if gpu is None:
        return FINE
    needed, fact = _needed_driver(gpu, release)
    need = f"CUDA {release.version} needs {needed}"
    if host is None:
        family = f"ml.{machine.instance.family}"
        note = f"the host driver of {machine.use} jobs on {family} is not published; {need}"
        return Judgement(Verdict.CONDITIONAL, (fact,), (note,))
    ami = machine.ami
    end = last_branch(gpu.compute_capability)
    if ami is not None and end is not None and host.driver.major > end.major:
        return _NO
    if machine.is_forward:
        return _judge_forward(machine, host, release, needed)
    if _at_least(host) < needed:
        return _NO
    default = machine.instance.default_drivers.get(machine.use)
    known = (fact, host.fact, ami and default and default.fact, ami and ami.listing)
    conditions = _ami_conditions(machine, ami, need) if ami else ()
    return Judgement(
        Verdict.CONDITIONAL if ami else Verdict.WORKS,
        tuple(one for one in known if one),
        conditions,
    )


def judge_gate(machine: Machine, gate: ImageGate | None) -> Judgement:
    """Whether an image of nvidia/cuda starts on the host: it demands a driver when it does."""
    host = machine.host
    if gate is None or machine.instance.gpu is None:
        return FINE
    if host is None:
        note = f"the host driver of {machine.use} jobs on ml.{machine.instance.family}"
        condition = f"{note} is not published; {gate.fact.text}"
        return Judgement(Verdict.CONDITIONAL, (gate.fact,), (condition,))
    if not gate.lets_in(host.driver, host.cuda):
        return _NO
    # an AMI version to ask for is a condition of the driver already
    return Judgement(Verdict.WORKS, (gate.fact, host.fact))


def _ami_conditions(machine: Machine, ami: Ami, need: str) -> tuple[str, ...]:
    default = machine.instance.default_drivers.get(machine.use)
    own = f"the default is {default.driver}" if default else "the default is not published"
    parameter = _AMI_PARAMETERS[machine.use]
    condition = f"{parameter} '{ami.name}' (driver {ami.host.driver}; {own}, {need})"
    if ami.listing is not None:
        return (condition,)
    family = f"ml.{machine.instance.family}"
    return condition, f"no source says whether '{ami.name}' runs on {family}"


def _judge_forward(
    machine: Machine, host: HostDriver, release: CudaRelease, needed: Dotted
) -> Judgement:
    """Whether the package of forward compatibility makes up for the host's driver.

    NVIDIA's images count on it for the branches that they let in besides newer ones.
    """
    package = forward_package(str(release.version))
    branches = {branch.major for branch in gate_branches(release.version)}
    if package is None or host.driver.major not in branches:
        return _NO
    condition = (
        f"{package.name} in the image, its library before the host's (LD_LIBRARY_PATH="
        f"/usr/local/cuda-{release.version}/compat): driver {host.driver} is older than "
        f"CUDA {release.version} needs ({needed})"
    )
    need = f"CUDA {release.version} needs {package.name} with it"
    ami = _ami_conditions(machine, machine.ami, need) if machine.ami else ()
    return Judgement(Verdict.CONDITIONAL, (package.fact, host.fact), (*ami, condition))


def driver_fact(instance: InstanceType, use: Use) -> Fact:
    """Return which drivers the hosts of a type can have."""
    default = instance.default_drivers.get(use)
    amis = [machine.ami for machine in machines_of(instance, use) if machine.ami]
    end = last_branch(instance.gpu.compute_capability) if instance.gpu else None
    # an AMI whose driver has dropped the GPU is none that could be asked for
    amis = [ami for ami in amis if end is None or ami.host.driver.major <= end.major]
    own = f"driver {default.driver} by default" if default else "a driver that is not published"
    newest = max((ami.host.driver for ami in amis), default=None)
    if newest is None:
        other = "no AMI version with another can be asked for"
    elif default is not None and newest <= default.driver:
        other = "no AMI version brings a newer one"
    else:
        other = f"AMI versions bring up to {newest}"
    facts = [ami.host.fact for ami in amis] + ([default.fact] if default else [])
    sources = tuple(dict.fromkeys(source for fact in facts for source in fact.sources))
    text = f"{use} hosts of {instance.family} have {own}; {other}"
    return Fact(text, sources or instance.sources, all(fact.verified for fact in facts))


def _has_older_of_major(capability: Dotted, known: Sequence[Dotted]) -> bool:
    return any(one.major == capability.major and one < capability for one in known)


def _binary_compatibility(text: str) -> Fact:
    table = load_cuda_table()
    record = table.binary_compatibility
    return Fact(text, table.cite(record.source), record.verified)


def _needed_driver(gpu: Gpu, release: CudaRelease) -> tuple[Dotted, Fact]:
    """The lowest driver for the release and for the GPU.

    A driver older than the first CUDA release that knows a GPU can't know it either: that
    release's own driver is the least. This is inferred, and the fact says so.
    """
    first = first_with(gpu.compute_capability)
    if first is None or first.own_driver is None or first.own_driver <= release.driver_min:
        return release.driver_min, release.driver_fact
    text = f"{gpu.sm} needs driver {first.own_driver}, that of CUDA {first.version}, its first"
    sources = first.capabilities_fact.sources
    return first.own_driver, Fact(text, sources, verified=False)


def _at_least(host: HostDriver) -> Dotted:
    """The lowest driver that a host may have.

    Sources name branches only (``580``). A driver that brings CUDA 13.0 is not older than the one
    that CUDA 13.0 came with.
    """
    release = cuda_releases().get(host.cuda.parts) if host.cuda is not None else None
    if release is None or release.own_driver is None:
        return host.driver
    return max(host.driver, release.own_driver)
