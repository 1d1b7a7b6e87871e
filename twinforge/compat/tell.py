"""Facts in words: of one build or release the source's own, of several what they have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import Version

from twinforge.compat.cuda import cuda_releases
from twinforge.compat.facts import Dotted, Fact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from twinforge.compat.cuda import CudaRelease
    from twinforge.compat.frameworks import FrameworkBuild

__all__ = ["tell_builds", "tell_capabilities", "tell_drivers"]


def tell_builds(builds: Sequence[FrameworkBuild], field: str) -> Fact:
    """Return what is known of a field (``pythons``, ``code``, ``cuda``...) of some builds."""
    facts = [fact for build in builds for fact in _facts(build, field)]
    if len({fact.text for fact in facts}) == 1:
        return facts[0]
    names, is_one = _names(builds)
    one, several, what = _SAID[field]
    return _joined(f"{names} {one if is_one else several} {what(builds)}", facts)


def tell_capabilities(releases: Sequence[CudaRelease]) -> Fact:
    """Return which compute capabilities CUDA releases know."""
    if len(releases) == 1:
        return _with_drop(releases[0])
    ordered = sorted(releases, key=lambda release: release.version)
    lowest = min(release.first for release in ordered)
    highest = max(release.last for release in ordered)
    text = (
        f"CUDA {ordered[0].version} to {ordered[-1].version} know compute capabilities "
        f"{lowest} to {highest}"
    )
    return _joined(text, [release.capabilities_fact for release in ordered])


def _with_drop(release: CudaRelease) -> Fact:
    """Return which capabilities a release knows, and which one dropped the older ones."""
    fact = release.capabilities_fact
    before = [r for r in cuda_releases().values() if r.version < release.version]
    dropped_in = release
    for earlier in reversed(before):
        if earlier.first != release.first:
            text = f"{fact.text}; CUDA {dropped_in.version} dropped the older ones"
            return _joined(text, [fact, dropped_in.capabilities_fact, earlier.capabilities_fact])
        dropped_in = earlier
    return fact


def tell_drivers(releases: Sequence[CudaRelease]) -> Fact:
    """Return which driver CUDA releases need."""
    if len(releases) == 1:
        return releases[0].driver_fact
    ordered = sorted(releases, key=lambda release: release.version)
    lowest = min(release.driver_min for release in ordered)
    text = f"CUDA {ordered[0].version} to {ordered[-1].version} need driver {lowest} or newer"
    return _joined(text, [release.driver_fact for release in ordered])


def _facts(build: FrameworkBuild, field: str) -> list[Fact]:
    if field != "code":
        return [build.about[field]] if field in build.about else []
    names = ("compute_capabilities", "ptx", "compute_capability_min")
    known = [build.about[name] for name in names if name in build.about]
    return [_joined("; ".join(fact.text for fact in known), known)] if known else []


def _names(builds: Sequence[FrameworkBuild]) -> tuple[str, bool]:
    """Return what the builds are called, and whether they are of one version."""
    versions = sorted({build.version for build in builds}, key=Version)
    framework, first, last = builds[0].framework, versions[0], versions[-1]
    if first == last:
        return f"{framework} {first}", True
    return f"{framework} {first} to {last}", False


def _cuda(builds: Sequence[FrameworkBuild]) -> str:
    return _span(build.cuda for build in builds if build.cuda)


def _cudnn(builds: Sequence[FrameworkBuild]) -> str:
    return _span(build.cudnn for build in builds if build.cudnn)


def _pythons(builds: Sequence[FrameworkBuild]) -> str:
    return _span(Dotted.parse(python) for build in builds for python in build.pythons)


def _glibc(builds: Sequence[FrameworkBuild]) -> str:
    return f"{min(build.glibc for build in builds if build.glibc)} or newer"


def _code(builds: Sequence[FrameworkBuild]) -> str:
    known = [capability for build in builds for capability in build.compute_capabilities]
    known += [build.compute_capability_min for build in builds if build.compute_capability_min]
    return _span(known)


def _archs(builds: Sequence[FrameworkBuild]) -> str:
    return ", ".join(sorted({arch for build in builds for arch in build.cpu_archs}))


def _devices(builds: Sequence[FrameworkBuild]) -> str:
    words = {"cpu": "for the CPU", "cuda": "with CUDA"}
    return " and ".join(words[device] for device in sorted({build.device for build in builds}))


_SAID: dict[str, tuple[str, str, Callable[[Sequence[FrameworkBuild]], str]]] = {
    "device": ("is a build", "are builds", _devices),
    "cuda": ("was built for CUDA", "were built for CUDA", _cuda),
    "cudnn": ("was built for cuDNN", "were built for cuDNN", _cudnn),
    "pythons": ("has wheels for Python", "have wheels for Python", _pythons),
    "glibc": ("needs glibc", "need glibc", _glibc),
    "code": (
        "holds code for compute capabilities",
        "hold code for compute capabilities",
        _code,
    ),
    "cpu_archs": ("has wheels for", "have wheels for", _archs),
}
"""How a field reads of one version, of several, and what follows."""


def _span(known: Iterable[Dotted]) -> str:
    values = sorted(set(known))
    return str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"


def _joined(text: str, facts: Sequence[Fact]) -> Fact:
    sources = tuple(dict.fromkeys(source for fact in facts for source in fact.sources))
    return Fact(text, sources, all(fact.verified for fact in facts))
