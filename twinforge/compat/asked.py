"""What was asked for, found among the values of its part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from twinforge.compat.active import per_project
from twinforge.compat.cudnn import CudaSupport, CudnnRelease
from twinforge.compat.cudnn_builds import CudnnBuild
from twinforge.compat.domain import Domain, Unheard, build_domain
from twinforge.compat.frameworks import framework_of
from twinforge.errors import UnknownError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twinforge.compat.frameworks import FrameworkBuild
    from twinforge.compat.question import Wanted

__all__ = ["is_cudnn", "is_release", "matching_builds", "order_by", "with_stated_cudnn"]


@per_project
def matching_builds(wanted: Wanted) -> tuple[str, Domain, int]:
    """Return a framework, its builds, and which of them are wanted."""
    requirement = Requirement(wanted.name)
    package = canonicalize_name(requirement.name)
    framework = framework_of(package) or package
    specifiers = SpecifierSet(wanted.specifier, prereleases=True)
    try:
        domain = build_domain(framework)
    except UnknownError as error:
        return framework, Domain(("builds", framework), (Unheard(error.message),)), 1
    framework = domain.values[0].framework
    named = framework_of(package)
    is_package = wanted.exact or bool(requirement.extras) or named not in {None, package}
    mask = sum(
        1 << index
        for index, build in enumerate(domain.values)
        if specifiers.contains(_full_version(build))
        and (build.package == package or not is_package)
        and requirement.extras <= set(build.extras)
        and (requirement.extras or not wanted.exact or not build.extras)
    )
    if not mask:
        domain = domain.with_unheard(f"there is no data on {wanted}")
        mask = 1 << len(domain.values) - 1
    return framework, domain, mask


def _full_version(build: FrameworkBuild) -> Version:
    return Version(f"{build.version}+{build.local}" if build.local else build.version)


def is_release(release: Any, asked: str) -> bool:
    """Whether a CUDA release is the one that is asked for, by its first two numbers."""
    numbers = asked.split(".")
    if not all(part.isdecimal() for part in numbers):
        return False
    parts = tuple(int(part) for part in numbers)[:2]
    return bool(release.version.parts[: len(parts)] == parts)


def order_by(builds: Domain, domain: Domain, field_name: str) -> Callable[[int], Sequence[int]]:
    """Return the order of a part's values for a build: what it was built for goes before newer."""

    def ordered(position: int) -> Sequence[int]:
        own = getattr(builds.values[position], field_name, None)
        return _with_own_first(domain, own.parts if own else ())

    return ordered


@per_project
def _with_own_first(domain: Domain, own: tuple[int, ...]) -> Sequence[int]:
    versions = [_version_of(value) for value in domain.values]
    return sorted(range(len(versions)), key=lambda one: versions[one][: len(own)] != own)


def _version_of(value: Any) -> tuple[int, ...]:
    if isinstance(value, Unheard):
        return ()
    version = value.release.version if isinstance(value, CudnnBuild) else value.version
    parts: tuple[int, ...] = version.parts
    return parts


@per_project
def with_stated_cudnn(domain: Domain, frameworks: tuple[Domain, ...], asked: str) -> Domain:
    """Return the builds of cuDNN with those that only a framework names, where these are asked for.

    That a framework was built for a CUDA release and a cuDNN says that the two go together. Of a
    major that nothing else is known of, they are always among the builds.
    """
    if any(is_cudnn(build, asked) for build in domain.values) and asked:
        return domain
    majors = {
        build.release.version.major for build in domain.values if isinstance(build, CudnnBuild)
    }
    stated = {
        (build.cudnn, build.cuda): build.about["cudnn"]
        for builds in frameworks
        for build in builds.values
        if not isinstance(build, Unheard) and build.cudnn and build.cuda
    }
    added = [
        CudnnBuild(
            CudnnRelease(version, (cuda.major,), (CudaSupport(cuda, cuda, fact),), (), (), ()),
            cuda.major,
        )
        for (version, cuda), fact in stated.items()
    ]
    matching = tuple(
        build
        for build in added
        if (is_cudnn(build, asked) if asked else build.release.version.major not in majors)
    )
    if not matching:
        return domain
    names = (name for builds in frameworks for name in builds.key)
    return Domain((*domain.key, "stated", asked, *names), (*domain.values, *matching))


def is_cudnn(build: Any, asked: str) -> bool:
    """Whether a build of cuDNN is of the version that is asked for, as far as that goes."""
    numbers = asked.split(".")
    if isinstance(build, Unheard) or not all(part.isdecimal() for part in numbers):
        return False
    parts = tuple(int(part) for part in numbers)
    return bool(build.release.version.parts[: len(parts)] == parts)
