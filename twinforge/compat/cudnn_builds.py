"""The builds of cuDNN, one per release and CUDA major, and what each goes together with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.compat.cudnn import cudnn_releases
from twinforge.compat.facts import Fact
from twinforge.compat.verdict import FINE, Judgement, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinforge.compat.cuda import CudaRelease
    from twinforge.compat.cudnn import CudnnRelease
    from twinforge.compat.machines import Machine

__all__ = [
    "CudnnBuild",
    "cudnn_builds",
    "judge_cudnn_cuda",
    "judge_cudnn_on",
    "tell_cudnn_cuda",
    "tell_cudnn_gpus",
]

_NO = Judgement(Verdict.IMPOSSIBLE)
_PER_MAJOR = 11
"""From this CUDA on a build is for a whole major; before, for one release.

Source: cuDNN support matrices 7.6.5 (10.1, 10.2...) and 9.0.0 (11.0 to 11.8).
"""


@dataclass(frozen=True, slots=True)
class CudnnBuild:
    """A release, built for a CUDA major; 0 where no source names one."""

    release: CudnnRelease
    cuda_major: int

    def __str__(self) -> str:
        """Return the version."""
        return str(self.release.version)


def cudnn_builds() -> tuple[CudnnBuild, ...]:
    """Return every known build, newest first."""
    return tuple(
        CudnnBuild(release, major)
        for release in reversed(cudnn_releases())
        for major in reversed(release.cuda_majors or (0,))
    )


def judge_cudnn_cuda(build: CudnnBuild, release: CudaRelease) -> Judgement:
    """Whether a build of cuDNN is for a CUDA release."""
    if not build.cuda_major:
        return Judgement.unknown(f"for which CUDA cuDNN {build} is")
    if build.cuda_major != release.version.major:
        return _NO
    listed = any(support.holds(release.version) for support in build.release.cuda)
    packed = any(package.cuda.parts == release.version.parts for package in build.release.apt)
    if build.cuda_major >= _PER_MAJOR or listed or packed:
        return FINE
    if build.release.cuda:
        return _NO
    return Judgement.unknown(f"whether cuDNN {build} is for CUDA {release.version}")


def judge_cudnn_on(machine: Machine, build: CudnnBuild) -> Judgement:
    """Whether cuDNN's own code runs on the GPU."""
    gpu = machine.instance.gpu
    if gpu is None:
        return FINE
    known = build.release.gpus_for(build.cuda_major)
    if known is None:
        return Judgement.unknown(f"for which GPUs cuDNN {build} holds code")
    if gpu.compute_capability < known.oldest:
        return _NO
    if gpu.compute_capability <= known.newest or (
        gpu.compute_capability.major == known.newest.major
    ):
        return Judgement(Verdict.WORKS, (known.fact,))
    return Judgement.unknown(
        f"whether cuDNN {build}, which ends at compute capability {known.newest}, runs on {gpu.sm}"
    )


def tell_cudnn_cuda(builds: Sequence[CudnnBuild]) -> Fact:
    """Return for which CUDA some builds are."""
    majors = sorted({build.cuda_major for build in builds})
    facts = [fact for build in builds for fact in build.release.facts]
    text = f"cuDNN {_span(builds)} is for CUDA {', '.join(f'{major}.x' for major in majors)}"
    return _joined(text, facts)


def tell_cudnn_gpus(builds: Sequence[CudnnBuild]) -> Fact:
    """Return for which GPUs some builds hold code."""
    known = [found for build in builds if (found := build.release.gpus_for(build.cuda_major))]
    facts = list(dict.fromkeys(one.fact for one in known))
    if len(facts) == 1:
        return facts[0]
    lowest, highest = min(one.oldest for one in known), max(one.newest for one in known)
    text = f"cuDNN {_span(builds)} holds code for compute capabilities {lowest} to {highest}"
    return _joined(text, facts)


def _span(builds: Sequence[CudnnBuild]) -> str:
    versions = sorted({build.release.version for build in builds})
    return str(versions[0]) if len(versions) == 1 else f"{versions[0]} to {versions[-1]}"


def _joined(text: str, facts: Sequence[Fact]) -> Fact:
    sources = tuple(dict.fromkeys(source for fact in facts for source in fact.sources))
    return Fact(text, sources, all(fact.verified for fact in facts))
