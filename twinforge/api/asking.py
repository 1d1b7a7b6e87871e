"""What is asked of the facts about a variant: a question for each instance type that it serves.

Of a recipe that is locked, the locked versions are asked about, since those are what is installed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from twinforge.compat.frameworks import framework_of
from twinforge.compat.pose import framework_label, instance_label
from twinforge.compat.question import Question, Wanted
from twinforge.model.matrix import Bootstrap
from twinforge.model.recipe import Twin
from twinforge.model.rules import applies
from twinforge.model.variant import ARCH_AXIS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from twinforge.api.workspace import Workspace
    from twinforge.lock.locked import VariantLock
    from twinforge.model.matrix import Axis, Base, Served
    from twinforge.model.place import Place
    from twinforge.model.recipe import Package, Recipe
    from twinforge.model.variant import Variant

__all__ = ["Cell", "base_text", "cells_of", "lock_of", "python_axis", "requirement_of"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A variant, and an instance type that it has to serve; None asks of the variant alone."""

    variant: Variant
    question: Question
    served: Served | None
    place: Place

    @property
    def told(self) -> str:
        """What it is called in messages."""
        if self.served is None:
            return self.variant.id
        return f"{self.variant.id} on {self.served.instance} ({self.served.use})"


def cells_of(workspace: Workspace, variant: Variant, today: date) -> Iterator[Cell]:
    """Yield a variant with each instance type that it serves, or alone where it serves none."""
    question = _question(workspace, variant, today)
    matrix = workspace.project.matrix
    served = [one for one in matrix.serves if applies(one, variant.words)]
    if not served:
        yield Cell(variant, question, None, variant.accelerator.place)
    for one in served:
        places = {**question.places, instance_label(one.instance): str(one.place)}
        asked = replace(question, instances=(one.instance,), use=one.use, places=places)
        yield Cell(variant, asked, one, one.place)


def _question(workspace: Workspace, variant: Variant, today: date) -> Question:
    accelerator, base = variant.accelerator, variant.base
    recipe = workspace.project.recipe_for(variant)
    lock = lock_of(workspace, variant)
    frameworks = dict(_frameworks(recipe, variant, lock))
    places = {
        "cuda": str(accelerator.place),
        "cudnn": str(accelerator.place),
        "device": str(accelerator.place),
        "python": str(python_axis(workspace, variant).place),
        "base": str(base.place),
    }
    if cpus := [axis for axis in _axes(workspace, variant) if axis.name == ARCH_AXIS]:
        places["arch"] = str(cpus[0].place)
    places |= {framework_label(name): str(place) for name, (_, place) in frameworks.items()}
    return Question(
        frameworks=tuple(wanted for wanted, _ in frameworks.values()),
        cuda=accelerator.cuda,
        cudnn=_cudnn(accelerator.cudnn, lock),
        has_own_cudnn=bool(_cudnn("", lock)),
        python=variant.python,
        base=base_text(base),
        cpu_arch=variant.cpu_arch,
        device="cuda" if accelerator.cuda else "cpu",
        today=today,
        places=places,
    )


def python_axis(workspace: Workspace, variant: Variant) -> Axis:
    """Return the axis that a variant's Python is a value of: its recipe's own, or the matrix's."""
    return next(axis for axis in _axes(workspace, variant) if axis.name == "python")


def _axes(workspace: Workspace, variant: Variant) -> tuple[Axis, ...]:
    """Return the axes that a variant has values of: its recipe's own go before the matrix's."""
    project = workspace.project
    return (*project.recipe(variant.recipe).axes, *project.matrix.axes)


def _frameworks(
    recipe: Recipe, variant: Variant, lock: VariantLock | None
) -> Iterator[tuple[str, tuple[Wanted, Place]]]:
    """Yield the frameworks of a variant by name, as its lock has them, or else its recipe."""
    locked = {wheel.name: wheel.version for wheel in lock.wheels} if lock else {}
    for package in recipe.packages:
        requirement = requirement_of(package, variant)
        name = canonicalize_name(requirement.name)
        framework = framework_of(name)
        if framework is None or (requirement.marker and name not in locked):
            continue
        extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
        version = f"=={locked[name]}" if name in locked else str(requirement.specifier)
        yield framework, (Wanted(f"{name}{extras}", version, exact=True), package.place)


def requirement_of(package: Package | Twin, variant: Variant) -> Requirement:
    """Return what a variant asks for: of a twin, the distribution of its kind."""
    if isinstance(package, Twin):
        return Requirement(f"{package.names[variant.accelerator.kind]}{package.version}")
    return package.requirement


def _cudnn(declared: str, lock: VariantLock | None) -> str:
    """Return the cuDNN that will be in the image: its locked wheel's, or what is declared."""
    wheels: Sequence[str] = [
        wheel.version
        for wheel in (lock.wheels if lock else ())
        if wheel.name.startswith("nvidia-cudnn-cu")
    ]
    return wheels[0] if wheels else declared


def lock_of(workspace: Workspace, variant: Variant) -> VariantLock | None:
    """Return a variant's lock, or None where it was never locked."""
    lock = workspace.lock_of(variant.recipe)
    known: Iterable[VariantLock] = lock.variants if lock else ()
    return next((one for one in known if one.slug == variant.slug), None)


def base_text(base: Base) -> str:
    """Return what the facts know a base by: a reference, or a suite."""
    source = base.source
    return source.suite if isinstance(source, Bootstrap) else str(source)
