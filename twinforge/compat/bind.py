"""What binds the parts of a question: which pairs are judged, and on which facts that rests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twinforge.compat.active import per_project
from twinforge.compat.builds import (
    carries_cuda,
    judge_build_on,
    judge_cpu_arch,
    judge_cuda,
    judge_newest_cudnn,
    judge_python,
)
from twinforge.compat.cudnn_builds import tell_cudnn_cuda, tell_cudnn_gpus
from twinforge.compat.domain import Domain, Unheard
from twinforge.compat.grounds import Ground, judge_ground_cuda
from twinforge.compat.machines import judge_arch, judge_driver, judge_release
from twinforge.compat.network import ALWAYS, bits
from twinforge.compat.relations import (
    fine,
    has_gpu,
    has_gpu_for,
    is_for_cpu,
    is_for_cuda,
    is_offered,
    pair_cudnn,
    pair_cudnn_cuda,
    pair_cudnn_on,
    pair_glibc,
    pair_ground_cudnn,
    pair_start,
    tag_judge,
    tell_arch,
    tell_driver,
    tell_field,
    tell_glibc,
    tell_gpu,
    tell_ground_cuda,
    tell_ground_cudnn,
    tell_start,
    tell_tag,
    tell_use,
)
from twinforge.compat.tell import tell_capabilities, tell_drivers
from twinforge.compat.verdict import FINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date

    from twinforge.compat.draft import Draft
    from twinforge.compat.facts import Fact
    from twinforge.compat.frameworks import FrameworkBuild
    from twinforge.compat.machines import Machine
    from twinforge.compat.verdict import Judgement

__all__ = ["bind_base", "bind_cudnn", "bind_framework", "bind_machine", "bind_unheard"]

_OF_BUILDS: tuple[tuple[str, str, Callable[[Any, Any], Judgement]], ...] = (
    ("pythons", "python", judge_python),
    ("cuda", "cuda", judge_cuda),
    ("cudnn", "cudnn", pair_cudnn),
    ("cpu_archs", "arch", judge_cpu_arch),
)
"""Field of a build, the part that it is about, and how the two are judged."""


def bind_framework(draft: Draft, name: str, causes: Sequence[frozenset[str]]) -> None:
    """Bind a framework to everything but instance types.

    ``causes`` are what makes it a question of an image with CUDA, each as labels.
    """
    wanted = "cuda" if causes else "cpu"
    # that there are builds for both goes without saying; that there is none for one is a fact
    is_said = all(build.device != wanted for build in _asked_builds(draft, name))
    fact = {f"{name}.device"} if is_said else set()
    if is_said:
        draft.tell(f"{name}.device", name, tell_field("device"))
    for cause in causes:
        draft.relate({*cause, *fact}, name, ALWAYS, is_for_cuda)
    if not causes and "device" in draft.asks:
        draft.relate({"device", *fact}, name, ALWAYS, is_for_cpu)
    for field, other, judge in _OF_BUILDS:
        if other in draft.domains:
            draft.relate({f"{name}.{field}"}, name, other, judge)
            draft.tell(f"{name}.{field}", name, tell_field(field))
    if "base" in draft.domains:
        draft.relate({f"{name}.glibc", "base.glibc"}, name, "base", pair_glibc)
        draft.tell(f"{name}.glibc", name, tell_field("glibc"))
        draft.tell("base.glibc", "base", tell_glibc)


def _asked_builds(draft: Draft, name: str) -> Iterator[FrameworkBuild]:
    """Yield the builds of a framework that are asked for."""
    mask = next(limit.mask for limit in draft.limits.values() if limit.variable == name)
    for index in bits(mask):
        build = draft.domains[name].values[index]
        if not isinstance(build, Unheard):
            yield build


def bind_cudnn(draft: Draft) -> None:
    """Bind cuDNN to CUDA."""
    if "cudnn" in draft.domains:
        draft.relate({"cudnn.cuda"}, "cudnn", "cuda", pair_cudnn_cuda)
        draft.tell("cudnn.cuda", "cudnn", tell_cudnn_cuda)


def bind_base(
    draft: Draft, today: date | None, frameworks: Sequence[str], *, has_own_cudnn: bool
) -> None:
    """Bind a base to CUDA and cuDNN, and to the day on which it is pulled.

    Where a framework brings its own cuDNN, or the image has one as a wheel, the base's plays no part.
    """
    if not _are_known(draft, "base"):
        return
    draft.relate({"base.tag"}, "base", ALWAYS, tag_judge(today))
    draft.tell("base.tag", "base", tell_tag)
    if "cuda" in draft.domains and _are_images(draft):
        draft.relate({"base.cuda"}, "base", "cuda", judge_ground_cuda)
        draft.tell("base.cuda", "base", tell_ground_cuda)
    carried = (build for name in frameworks for build in _asked_builds(draft, name))
    if "cudnn" in draft.domains and _are_images(draft):
        if has_own_cudnn or any(map(carries_cuda, carried)):
            return
        draft.relate({"base.cudnn"}, "base", "cudnn", pair_ground_cudnn)
        draft.tell("base.cudnn", "base", tell_ground_cudnn)


def bind_machine(
    draft: Draft, label: str, causes: Sequence[frozenset[str]], frameworks: Sequence[str]
) -> None:
    """Bind an instance type to everything else."""
    if not _are_known(draft, label):
        return
    machine = draft.domains[label].values[0]
    draft.relate({label, f"{label}.use"}, label, ALWAYS, is_offered)
    draft.tell(f"{label}.use", ALWAYS, _of(tell_use, machine))
    draft.relate({label, f"{label}.arch"}, label, "arch", judge_arch)
    draft.tell(f"{label}.arch", ALWAYS, _of(tell_arch, machine))
    draft.tell(f"{label}.gpu", ALWAYS, _of(tell_gpu, machine))
    code = {label, f"{label}.gpu"}
    for cause in causes:
        draft.relate({*code, *cause}, label, ALWAYS, has_gpu)
    if machine.instance.gpu is None:
        for name in frameworks:
            draft.relate(code, label, name, has_gpu_for)
    elif causes:
        _bind_gpu(draft, label, frameworks, code)


def _bind_gpu(draft: Draft, label: str, frameworks: Sequence[str], code: set[str]) -> None:
    machine = draft.domains[label].values[0]
    draft.relate({*code, "cuda.code"}, label, "cuda", judge_release)
    draft.tell("cuda.code", "cuda", tell_capabilities)
    driver = {label, f"{label}.driver"}
    draft.relate({*driver, "cuda.driver"}, label, "cuda", judge_driver)
    draft.tell(f"{label}.driver", ALWAYS, _of(tell_driver, machine))
    draft.tell("cuda.driver", "cuda", tell_drivers)
    if "cudnn" in draft.domains:
        draft.relate({*code, "cudnn.code"}, label, "cudnn", pair_cudnn_on)
        draft.tell("cudnn.code", "cudnn", tell_cudnn_gpus)
    if _are_images(draft):
        draft.relate({*driver, "base.start"}, label, "base", pair_start)
        draft.tell("base.start", "base", tell_start)
    for name in frameworks:
        draft.relate({*code, f"{name}.code"}, label, name, judge_build_on)
        if "cudnn" not in draft.limits and _leaves_cudnn_open(
            draft.domains[name], draft.domains[label]
        ):
            draft.relate(code, label, name, judge_newest_cudnn)
        draft.tell(f"{name}.code", name, tell_field("code"))


@per_project
def _leaves_cudnn_open(builds: Domain, machines: Domain) -> bool:
    """Whether one of a framework's builds has a condition on the GPU for its cuDNN."""
    machine = machines.values[0]  # all its hosts have the same GPU
    return any(
        not isinstance(build, Unheard) and judge_newest_cudnn(machine, build) is not FINE
        for build in builds.values
    )


def _of(tell: Callable[[Machine], Fact], machine: Machine) -> Callable[[Sequence[Any]], Fact]:
    """Return how a fact about an instance type reads, whichever of its hosts is meant."""
    return lambda _: tell(machine)


def bind_unheard(draft: Draft) -> None:
    """Say of what nothing is known that it is not known, whatever else is asked."""
    for name, domain in draft.domains.items():
        if any(isinstance(value, Unheard) for value in domain.values):
            draft.relate((), name, ALWAYS, fine)


def _are_known(draft: Draft, name: str) -> bool:
    """Whether there is data on what was asked for."""
    values = draft.domains[name].values if name in draft.domains else ()
    return bool(values) and not isinstance(values[-1], Unheard)


def _are_images(draft: Draft) -> bool:
    values = draft.domains["base"].values if "base" in draft.domains else ()
    return any(isinstance(ground, Ground) and ground.image for ground in values)
