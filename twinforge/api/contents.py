"""What would be in an image: libraries of CUDA that can be had, and none of them twice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from twinforge.api.asking import base_text, lock_of, python_axis, requirement_of
from twinforge.compat.builds import carries_cuda
from twinforge.compat.duplicates import find_duplicate
from twinforge.compat.frameworks import framework_builds, framework_of
from twinforge.compat.wheelless import missing_wheels
from twinforge.lock.apt import apt_packages
from twinforge.lock.cuda import cuda_troubles
from twinforge.lock.resolver import OLDEST_PYTHON

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from twinforge.api.workspace import Workspace
    from twinforge.lock.locked import Wheel
    from twinforge.model.place import Place
    from twinforge.model.recipe import AptPackage, Recipe
    from twinforge.model.variant import Variant

__all__ = ["content_problems", "duplicate_warnings"]

_MEGABYTE = 1_000_000
_RELEASE = 2  # of CUDA, such as 12.4
_RUNTIME = re.compile(r"nvidia-cuda-runtime(-cu\d+)?")
_CUDNN = re.compile(r"nvidia-cudnn-cu\d+")


def content_problems(workspace: Workspace, variant: Variant) -> Iterator[tuple[Place, str]]:
    """Yield what can't be locked, or can't pass: an old Python, what has no wheel or no package.

    And locked wheels of another CUDA or cuDNN than the accelerator's, which its smoke check refuses.
    """
    if tuple(int(part) for part in variant.python.split(".")) < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        message = f"Python {variant.python} is older than any that uv resolves for ({oldest})"
        yield python_axis(workspace, variant).place, message
    yield from _wheelless(workspace, variant)
    for trouble in cuda_troubles(workspace.project.recipe_for(variant), variant):
        yield trouble.place, trouble.message
    for message in _other_pins(workspace, variant):
        yield variant.accelerator.place, message


def _other_pins(workspace: Workspace, variant: Variant) -> Iterator[str]:
    """Yield what NVIDIA's locked wheels are, where the accelerator says something else."""
    accelerator, lock = variant.accelerator, lock_of(workspace, variant)
    if lock is None or not accelerator.cuda:
        return
    asked = {
        "CUDA": (_RUNTIME, ".".join(accelerator.cuda.split(".")[:_RELEASE])),
        "cuDNN": (_CUDNN, accelerator.cudnn),
    }
    for wheel in lock.wheels:
        for what, (pattern, wanted) in asked.items():
            is_other = pattern.fullmatch(wheel.name) and wanted and not _is_of(wheel, wanted)
            if is_other:
                yield (
                    f"{what} {wanted} of the accelerator '{accelerator.name}' is not what is "
                    f"locked, {wheel.name}=={wheel.version}; give the accelerator that version, "
                    "or the recipe a package that asks for this one"
                )


def _is_of(wheel: Wheel, wanted: str) -> bool:
    return SpecifierSet(f"=={wanted}.*").contains(wheel.version, prereleases=True)


def _wheelless(workspace: Workspace, variant: Variant) -> Iterator[tuple[Place, str]]:
    """Yield what exact versions ask for that has no wheel; an index of one's own may have one."""
    recipe = workspace.project.recipe_for(variant)
    if recipe.indexes or lock_of(workspace, variant) is not None:
        return
    for package in recipe.packages:
        requirement = requirement_of(package, variant)
        if canonicalize_name(requirement.name) in recipe.homes:
            continue
        pins = [one.version for one in requirement.specifier if one.operator in {"==", "==="}]
        for version in pins:
            if version.endswith(".*"):
                continue
            name = canonicalize_name(requirement.name)
            for fact in missing_wheels(name, version, variant.python):
                yield package.place, f"{fact.text} ({fact.sources[0]})"


def duplicate_warnings(workspace: Workspace, variant: Variant) -> Iterator[tuple[Place, str]]:
    """Yield CUDA that is in an image more than once, with what it costs and what avoids it."""
    if not variant.accelerator.cuda:
        return
    recipe = workspace.project.recipe_for(variant)
    lock = lock_of(workspace, variant)
    duplicate = find_duplicate(
        base_text(variant.base),
        [package.name for package in (lock.apt if lock else _asked_apt(recipe, variant))],
        {wheel.name: wheel.size_bytes for wheel in lock.wheels} if lock else {},
        carries=() if lock else tuple(_carriers(recipe, variant)),
    )
    if duplicate is None:
        return
    size = duplicate.size_bytes
    cost = f" (the wheels weigh {size / _MEGABYTE:.0f} MB)" if size else ""
    instead = f"; the base {duplicate.instead} avoids it" if duplicate.instead else ""
    what = ", ".join(duplicate.libraries)
    sources = "; ".join(duplicate.sources)
    message = f"CUDA's libraries come more than once: {what}, from {sources}{cost}{instead}"
    yield variant.accelerator.place, message


def _asked_apt(recipe: Recipe, variant: Variant) -> Sequence[AptPackage]:
    """Return what is asked of apt, before it is locked; libraries that can't be had are told apart."""
    if cuda_troubles(recipe, variant):
        return ()
    return apt_packages(recipe, variant)


def _carriers(recipe: Recipe, variant: Variant) -> Iterator[str]:
    """Yield the requirements that bring NVIDIA's wheels."""
    for package in recipe.packages:
        requirement = requirement_of(package, variant)
        name = canonicalize_name(requirement.name)
        if framework_of(name) is None:
            continue
        builds = framework_builds(name)
        if any(
            build.package == name
            and requirement.extras <= set(build.extras)
            and build.cudnn is not None
            and (requirement.extras or not build.extras)
            and carries_cuda(build)
            for build in builds
        ):
            yield str(requirement)
