"""For which accelerators a new recipe is: those of the project that its framework's wheels fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinforge.model.matrix import Accelerator
    from twinforge.scaffold.frameworks import Framework

__all__ = ["Chosen", "choose_accelerators", "new_accelerators"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The accelerators of a recipe.

    Attributes:
        cpu: Names of those without CUDA.
        cuda: Names of those with the framework's CUDA.
        is_axis: Whether these are the matrix's own, with CUDA, so that the recipe need not name them.
            One that knows CPUs only does, for a matrix may get GPUs later.
        lacks: The CUDA version of the framework for which there is none, or empty.
    """

    cpu: tuple[str, ...]
    cuda: tuple[str, ...]
    is_axis: bool
    lacks: str = ""

    @property
    def kinds(self) -> tuple[str, ...]:
        """``cpu``, ``cuda`` or both, as conditions and twins call them."""
        return tuple(kind for kind in ("cpu", "cuda") if getattr(self, kind))


def new_accelerators(framework: Framework) -> Chosen:
    """Return those of a matrix that is written for the framework."""
    cuda = (cuda_name(framework),) if framework.cuda else ()
    return Chosen(("cpu",), cuda, is_axis=bool(cuda))


def cuda_name(framework: Framework) -> str:
    """Return what a new matrix calls a framework's CUDA.

    >>> from twinforge.scaffold.frameworks import FRAMEWORKS
    >>> cuda_name(FRAMEWORKS["torch"])
    'cu128'
    """
    return f"cu{framework.cuda.replace('.', '')}"


def choose_accelerators(
    framework: Framework, declared: Sequence[Accelerator], axis: Sequence[str]
) -> Chosen:
    """Choose among the accelerators of a matrix that is there.

    The framework's wheels bring their CUDA along: it has to be the accelerator's, whose own packages
    would be a second copy.

    Args:
        framework: What the recipe is for.
        declared: What the matrix declares.
        axis: The names on its axis.

    Raises:
        UsageError: None fits.
    """
    cpu = tuple(one.name for one in declared if not one.cuda)
    cuda = tuple(
        one.name
        for one in declared
        if one.cuda and one.cuda == framework.cuda and not one.cudnn and not _installs(one)
    )
    if not cpu and not cuda:
        needed = f" and none of CUDA {framework.cuda}" if framework.cuda else ""
        message = f"no accelerator of matrix.yaml is for {framework.name}: there is no CPU{needed}"
        raise UsageError(message, hint="add `cpu: {}` to its accelerators")
    names = [one.name for one in declared if one.name in {*cpu, *cuda}]
    return Chosen(
        cpu,
        cuda,
        is_axis=bool(cuda) and set(names) == set(axis),
        lacks=framework.cuda if framework.cuda and not cuda else "",
    )


def _installs(accelerator: Accelerator) -> bool:
    return bool(accelerator.packages or accelerator.libraries.libraries)
