"""CUDA's libraries of a variant as Debian packages: names and versions come from the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.compat.cudnn import find_cudnn
from twinforge.compat.facts import Dotted
from twinforge.compat.libraries import LibraryPackage, library_names, library_packages
from twinforge.compat.systems import system_name
from twinforge.errors import LockError, UnknownError
from twinforge.model.cuda import merge_libraries
from twinforge.model.matrix import Bootstrap
from twinforge.model.recipe import AptPackage
from twinforge.model.suggest import known_or_close

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twinforge.compat.cudnn import CudnnRelease
    from twinforge.model.cuda import CudaLibraries, CudaLibrary
    from twinforge.model.place import Place
    from twinforge.model.recipe import Recipe
    from twinforge.model.variant import Variant

__all__ = ["CudaTrouble", "cuda_packages", "cuda_troubles"]

CUDNN = "cudnn"
"""Not one of CUDA's libraries: its version is the accelerator's own."""

_DISTRIBUTIONS = frozenset({"debian", "ubuntu"})
_USUAL = {"debian": ("main",), "ubuntu": ("main", "universe")}


@dataclass(frozen=True, slots=True)
class CudaTrouble:
    """Why a library can't be had on a variant's base, and the line that asks for it."""

    place: Place
    message: str


def cuda_packages(recipe: Recipe, variant: Variant) -> tuple[AptPackage, ...]:
    """Return the packages of all libraries of CUDA that a variant asks for; none on a CPU.

    Raises:
        LockError: One can't be had; the message names the line that asks for it.
    """
    found = tuple(_found(recipe, variant))
    troubles = [one for one in found if isinstance(one, CudaTrouble)]
    if troubles:
        message = "; ".join(f"{trouble.place}: {trouble.message}" for trouble in troubles)
        raise LockError(message, hint="`twinforge check` says it before anything is locked")
    # a bootstrapped base's archive has one version of each, and can always be asked which it is now
    is_asked = isinstance(variant.base.source, Bootstrap)
    packages = (
        AptPackage(one.name, "" if is_asked else one.version)
        for one in found
        if not isinstance(one, CudaTrouble)
    )
    return tuple({package.name: package for package in packages}.values())


def cuda_troubles(recipe: Recipe, variant: Variant) -> tuple[CudaTrouble, ...]:
    """Return what keeps a variant from the libraries of CUDA that it asks for."""
    return tuple(one for one in _found(recipe, variant) if isinstance(one, CudaTrouble))


def _found(recipe: Recipe, variant: Variant) -> Iterator[LibraryPackage | CudaTrouble]:
    wanted = merge_libraries(recipe.cuda, variant.accelerator.libraries)
    if variant.accelerator.kind != "cuda" or not wanted.libraries:
        return
    first = wanted.libraries[0]
    try:
        system = system_name(variant.base)
        known = library_names(variant.accelerator.cuda, system)
    except UnknownError as error:
        hint = f"; {error.hint}" if error.hint else ""
        yield CudaTrouble(first.place, f"{error.message}{hint}")
        return
    for library in wanted.libraries:
        if library.name == CUDNN:
            yield from _cudnn(variant, system, library, wanted)
        elif library.name not in known:
            message = f"CUDA {variant.accelerator.cuda} on {system} has no library '{library.name}'"
            yield CudaTrouble(library.place, message + known_or_close(library.name, known))
        else:
            packages = library_packages(
                variant.accelerator.cuda, system, [library.name], dev=wanted.dev
            )
            for package in packages:
                trouble = _unreachable(variant, package)
                yield CudaTrouble(library.place, trouble) if trouble else package


def _cudnn(
    variant: Variant, system: str, library: CudaLibrary, wanted: CudaLibraries
) -> Iterator[LibraryPackage | CudaTrouble]:
    accelerator = variant.accelerator
    if not accelerator.cudnn:
        message = f"the accelerator '{accelerator.name}' declares no version of cuDNN"
        yield CudaTrouble(library.place, message)
        return
    release = find_cudnn(accelerator.cudnn)
    if release is None:
        message = f"there is no data on cuDNN {accelerator.cudnn}"
        yield CudaTrouble(library.place, message)
        return
    cuda = Dotted.parse(accelerator.cuda)
    apt = release.apt_for(cuda)
    if apt is None or system.partition("-")[0] == "debian":
        message = (
            f"there is no Debian package of cuDNN {release.version} for CUDA {cuda} on {system}"
        )
        yield CudaTrouble(library.place, message + _wheel_instead(release, cuda))
        return
    for name in (apt.runtime, *([apt.dev] if wanted.dev else [])):
        package = LibraryPackage(name, apt.pin, apt.fact)
        trouble = _unreachable(variant, package)
        yield CudaTrouble(library.place, trouble) if trouble else package


def _wheel_instead(release: CudnnRelease, cuda: Dotted) -> str:
    wheels = (wheel for wheel in release.wheels if wheel.cuda_major == cuda.major)
    wheel = next(wheels, None)
    if wheel is None:
        return ""
    return f"; put NVIDIA's wheel '{wheel.requirement(release)}' under python.packages instead"


def _unreachable(variant: Variant, package: LibraryPackage) -> str:
    """Return why a base certainly does not see the archive that a package is in, or nothing.

    What somebody's own image has in its sources is not known; apt says so when it is asked.
    """
    base = variant.base
    if isinstance(base.source, Bootstrap):
        if not package.component:
            return f"'{package.name}' is in NVIDIA's repository, which '{base.name}' does not have"
        distribution = system_name(base).partition("-")[0]
        components = base.source.components or _USUAL[distribution]
        if package.component in components:
            return ""
        listed = ", ".join([*components, package.component])
        return (
            f"'{package.name}' is in the component '{package.component}', which the base "
            f"'{base.name}' ({base.place}) does not have; declare `components: [{listed}]` there"
        )
    if base.source.name in _DISTRIBUTIONS and not package.component:
        return (
            f"'{package.name}' is in NVIDIA's repository, which '{base.source}' does not have; "
            "an image of nvidia/cuda has it"
        )
    return ""
