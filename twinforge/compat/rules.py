"""May an image run on an instance type, and if not, why not.

A CPU image needs the CPU architecture only. A CUDA image needs an NVIDIA GPU, a CUDA release that
knows its compute capability, and a driver on the host: the default one, or that of an AMI version
that can be asked for. Which architectures a framework's own code was compiled for is not decided
here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from twinforge.compat.cuda import cuda_releases, find_release, first_with, last_branch, last_with
from twinforge.compat.facts import Dotted, Fact
from twinforge.compat.tables import load_cuda_table

if TYPE_CHECKING:
    from twinforge.compat.cuda import CudaRelease
    from twinforge.compat.facts import Use
    from twinforge.compat.instances import Ami, Gpu, HostDriver, InstanceType

__all__ = ["Answer", "Verdict", "accelerator_fits"]

_AMI_PARAMETERS = {"hosting": "InferenceAmiVersion", "transform": "TransformAmiVersion"}


class Answer(StrEnum):
    """What the facts say. ``unknown`` is never taken for "works"."""

    WORKS = "works"
    CONDITIONAL = "conditional"
    UNKNOWN = "unknown"
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer and what it rests on.

    ``conditions`` say under which it works; ``ami`` is the AMI version to ask for, or empty.
    ``facts`` are what decides: of an impossible pair, the ones that conflict.
    """

    answer: Answer
    facts: tuple[Fact, ...] = ()
    conditions: tuple[str, ...] = ()
    ami: str = ""

    @property
    def reason(self) -> str:
        """The facts, in one sentence."""
        return "; ".join(fact.text for fact in self.facts)


def accelerator_fits(
    instance: InstanceType, cuda: str, *, use: Use = "hosting", cpu_arch: str = "amd64"
) -> Verdict:
    """Decide whether an image runs on an instance type.

    Args:
        instance: The type, from :func:`twinforge.compat.instances.find_instance`.
        cuda: The CUDA release of the image, empty for a CPU image.
        use: What SageMaker runs the image for; drivers and AMI versions differ by it.
        cpu_arch: The architecture that the image was built for.
    """
    machine = _machine_takes(instance, cuda, use, cpu_arch)
    if instance.gpu is None or not cuda or machine.answer is not Answer.WORKS:
        return machine
    release = find_release(cuda)
    if release is None:
        text = f"there is no data on CUDA {cuda}"
        return Verdict(Answer.UNKNOWN, (Fact(text, (), verified=False),))
    code = _code_runs(instance.gpu, release)
    if code.answer in {Answer.IMPOSSIBLE, Answer.UNKNOWN}:
        return code
    driver = _driver_serves(instance, instance.gpu, release, use)
    if driver.answer is Answer.IMPOSSIBLE:
        return driver
    conditional = Answer.CONDITIONAL in {code.answer, driver.answer}
    return Verdict(
        Answer.CONDITIONAL if conditional else Answer.WORKS,
        (*code.facts, *driver.facts),
        (*code.conditions, *driver.conditions),
        driver.ami,
    )


def _machine_takes(instance: InstanceType, cuda: str, use: Use, cpu_arch: str) -> Verdict:
    """Whether the type is offered, of the image's architecture, and has a GPU if it needs one."""
    text = ""
    if use not in instance.uses:
        text = f"{instance.name} is not offered for {use}"
    elif cpu_arch != instance.cpu_arch:
        text = f"{instance.name} is {instance.cpu_arch}, the image is {cpu_arch}"
    elif cuda and instance.gpu is None:
        text = f"{instance.name} has no NVIDIA GPU"
    if text:
        return Verdict(Answer.IMPOSSIBLE, (Fact(text, instance.sources),))
    return Verdict(Answer.WORKS)


def _code_runs(gpu: Gpu, release: CudaRelease) -> Verdict:
    """Whether code that the release compiles runs on the GPU."""
    capability = gpu.compute_capability
    if capability in release.compute_capabilities:
        return Verdict(Answer.WORKS, (gpu.fact, release.capabilities_fact))
    if capability < release.first:
        last = last_with(capability)
        facts = [gpu.fact, release.capabilities_fact]
        if last is not None:
            text = f"the last release that knows {gpu.sm} is CUDA {last.version}"
            sources = last.capabilities_fact.sources
            facts.append(Fact(text, sources, last.capabilities_fact.verified))
        return Verdict(Answer.IMPOSSIBLE, tuple(facts))
    same_major = any(
        known.major == capability.major and known < capability
        for known in release.compute_capabilities
    )
    table = load_cuda_table()
    record = table.binary_compatibility
    sources = table.cite(record.source)
    if same_major:
        text = f"code for an older sm_{capability.major}x runs on {gpu.sm}"
        return Verdict(
            Answer.CONDITIONAL,
            (gpu.fact, release.capabilities_fact, Fact(text, sources, record.verified)),
            (f"CUDA {release.version} does not know {gpu.sm}, but {text}",),
        )
    text = f"on {gpu.sm} only PTX of an older major would run, compiled when it is loaded"
    return Verdict(
        Answer.UNKNOWN,
        (gpu.fact, release.capabilities_fact, Fact(text, sources, record.verified)),
    )


def _driver_serves(instance: InstanceType, gpu: Gpu, release: CudaRelease, use: Use) -> Verdict:
    """Whether a host has a driver for the release, or can be given one."""
    needed, fact = _needed_driver(gpu, release)
    default = instance.default_drivers.get(use)
    if default is not None and _at_least(default) >= needed:
        return Verdict(Answer.WORKS, (fact, default.fact))
    ami = _lowest_ami(instance, gpu, needed, use)
    if ami is not None:
        parameter = _AMI_PARAMETERS[use]
        own = f"the default is {default.driver}" if default else "the default is not published"
        need = f"CUDA {release.version} needs {needed}"
        conditions = [f"{parameter} '{ami.name}' (driver {ami.host.driver}; {own}, {need})"]
        if ami.listing is None:
            conditions.append(f"no source says whether '{ami.name}' runs on ml.{instance.family}")
        facts = [fact, ami.host.fact]
        facts.extend(known for known in (default and default.fact, ami.listing) if known)
        return Verdict(Answer.CONDITIONAL, tuple(facts), tuple(conditions), ami.name)
    if default is not None:
        text = f"no AMI version for {use} on {instance.family} brings driver {needed}"
        missing = Fact(text, tuple(s for a in instance.amis for s in a.host.fact.sources)[:1])
        return Verdict(Answer.IMPOSSIBLE, (fact, default.fact, missing))
    note = (
        f"the host driver of {use} jobs on ml.{instance.family} is not published; "
        f"CUDA {release.version} needs {needed}"
    )
    return Verdict(Answer.CONDITIONAL, (fact,), (note,))


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


def _lowest_ami(instance: InstanceType, gpu: Gpu, needed: Dotted, use: Use) -> Ami | None:
    """The lowest driver that satisfies, among the AMIs known to run on the family if there are."""
    end = last_branch(gpu.compute_capability)
    fitting = [
        ami
        for ami in instance.amis
        if ami.use == use
        and _at_least(ami.host) >= needed
        and (end is None or ami.host.driver.major <= end.major)
    ]
    return min(fitting, key=lambda ami: (ami.listing is None, ami.host.driver), default=None)
