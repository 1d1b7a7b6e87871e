"""How each pair of parts is judged, and how the facts read that a judgement rests on.

The judgements themselves stand with what they are about; here they take any value of a part,
the one included that says nothing of cuDNN.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

from twinforge.compat.builds import judge_cudnn, judge_glibc
from twinforge.compat.cudnn_builds import judge_cudnn_cuda, judge_cudnn_on
from twinforge.compat.domain import UNSAID
from twinforge.compat.facts import Fact
from twinforge.compat.grounds import gate_of, judge_ground_cudnn, judge_tag
from twinforge.compat.machines import driver_fact, judge_gate, judge_gpu, judge_use
from twinforge.compat.tell import tell_builds
from twinforge.compat.verdict import FINE, Judgement, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from twinforge.compat.frameworks import FrameworkBuild
    from twinforge.compat.grounds import Ground
    from twinforge.compat.machines import Machine

__all__ = [
    "fine",
    "has_gpu",
    "has_gpu_for",
    "is_for_cpu",
    "is_for_cuda",
    "is_offered",
    "pair_cudnn",
    "pair_cudnn_cuda",
    "pair_cudnn_on",
    "pair_glibc",
    "pair_ground_cudnn",
    "pair_start",
    "tag_judge",
    "tell_arch",
    "tell_driver",
    "tell_field",
    "tell_glibc",
    "tell_gpu",
    "tell_ground_cuda",
    "tell_ground_cudnn",
    "tell_start",
    "tell_tag",
    "tell_use",
]

_NO = Judgement(Verdict.IMPOSSIBLE)


def fine(one: Any, other: Any) -> Judgement:
    """Judge nothing: what nothing is known of is judged before this is asked."""
    del one, other
    return FINE


def is_for_cuda(build: FrameworkBuild, always: str) -> Judgement:
    """Whether a build is one with CUDA."""
    del always
    return FINE if build.device == "cuda" else _NO


def is_for_cpu(build: FrameworkBuild, always: str) -> Judgement:
    """Whether a build is one for the CPU."""
    del always
    return FINE if build.device == "cpu" else _NO


def is_offered(machine: Machine, always: str) -> Judgement:
    """Whether a type is offered for the use."""
    del always
    return judge_use(machine)


def has_gpu(machine: Machine, always: str) -> Judgement:
    """Whether a type has an NVIDIA GPU."""
    del always
    return judge_gpu(machine)


def has_gpu_for(machine: Machine, build: FrameworkBuild) -> Judgement:
    """Whether a type has an NVIDIA GPU if a build needs one."""
    return FINE if build.device == "cpu" else judge_gpu(machine)


def pair_cudnn(build: FrameworkBuild, cudnn: Any) -> Judgement:
    """Whether a build works with a build of cuDNN."""
    if cudnn is UNSAID:
        return FINE if build.cudnn is None else _NO
    return judge_cudnn(build, cudnn.release.version)


def pair_cudnn_cuda(cudnn: Any, release: Any) -> Judgement:
    """Whether a build of cuDNN is for a CUDA release."""
    return FINE if cudnn is UNSAID else judge_cudnn_cuda(cudnn, release)


def pair_cudnn_on(machine: Machine, cudnn: Any) -> Judgement:
    """Whether a build of cuDNN runs on the GPU."""
    return FINE if cudnn is UNSAID else judge_cudnn_on(machine, cudnn)


def pair_ground_cudnn(ground: Ground, cudnn: Any) -> Judgement:
    """Whether a base goes together with a build of cuDNN."""
    return FINE if cudnn is UNSAID else judge_ground_cudnn(ground, cudnn)


def pair_glibc(build: FrameworkBuild, ground: Ground) -> Judgement:
    """Whether a base's glibc is new enough for a build."""
    if ground.glibc is None:
        return Judgement.unknown(f"which glibc {ground.name} has")
    return judge_glibc(build, ground.glibc)


def pair_start(machine: Machine, ground: Ground) -> Judgement:
    """Whether a base starts on the host."""
    return judge_gate(machine, gate_of(ground))


@cache
def tag_judge(today: date | None) -> Callable[[Ground, str], Judgement]:
    """Return whether a base can be pulled, asked on a day."""

    def judged(ground: Ground, always: str) -> Judgement:
        del always
        return judge_tag(ground, today)

    return judged


@cache
def tell_field(field: str) -> Callable[[Sequence[FrameworkBuild]], Fact]:
    """Return how a field of builds reads."""
    return partial(tell_builds, field=field)


def tell_use(machine: Machine) -> Fact:
    """Return that a type is not offered for the use."""
    instance = machine.instance
    return Fact(f"{instance.name} is not offered for {machine.use}", instance.sources)


def tell_arch(machine: Machine) -> Fact:
    """Return a type's CPU architecture."""
    instance = machine.instance
    return Fact(f"{instance.name} is {instance.cpu_arch}", instance.sources)


def tell_gpu(machine: Machine) -> Fact:
    """Return a type's GPU, or that it has none of NVIDIA's."""
    instance = machine.instance
    if instance.gpu is not None:
        return instance.gpu.fact
    return Fact(f"{instance.name} has no NVIDIA GPU", instance.sources)


def tell_driver(machine: Machine) -> Fact:
    """Return which drivers a type's hosts can have."""
    return driver_fact(machine.instance, machine.use)


def tell_tag(grounds: Sequence[Ground]) -> Fact:
    """Return that a base is gone."""
    image = grounds[0].image
    fact = image.removal if image else None
    return fact or Fact(f"{grounds[0].name} can't be pulled", ())


def tell_ground_cuda(grounds: Sequence[Ground]) -> Fact:
    """Return which CUDA a base holds."""
    image = grounds[0].image
    if image is None:
        return Fact(f"{grounds[0].name} holds no CUDA", ())
    text = f"{image.reference} holds CUDA {image.cuda}"
    return Fact(text, image.status_fact.sources, image.status_fact.verified)


def tell_ground_cudnn(grounds: Sequence[Ground]) -> Fact:
    """Return which cuDNN a base holds."""
    image = grounds[0].image
    if image is None or not image.cudnn:
        return Fact(f"{grounds[0].name} holds no cuDNN", ())
    held = f"cuDNN {image.cudnn_version}" if image.cudnn_version else image.cudnn
    fact = image.cudnn_fact or image.status_fact
    return Fact(f"{image.reference} holds {held}", fact.sources, fact.verified)


def tell_start(grounds: Sequence[Ground]) -> Fact:
    """Return what a base demands of a host when it starts."""
    gate = gate_of(grounds[0])
    return gate.fact if gate else Fact(f"{grounds[0].name} demands no driver", ())


def tell_glibc(grounds: Sequence[Ground]) -> Fact:
    """Return a base's glibc."""
    return grounds[0].glibc_fact or Fact(f"{grounds[0].name} has an unknown glibc", ())
