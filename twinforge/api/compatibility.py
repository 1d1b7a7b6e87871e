"""Whether every variant can work, and run on the instance types that it has to serve.

Asked before anything is locked or built; of a recipe that is locked, the locked versions are asked
about, since those are what would be installed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from twinforge.compat.builds import carries_cuda
from twinforge.compat.duplicates import find_duplicate
from twinforge.compat.frameworks import framework_builds, framework_of
from twinforge.compat.pose import framework_label, instance_label
from twinforge.compat.question import Question, Wanted
from twinforge.compat.resolve import resolve
from twinforge.compat.verdict import Verdict
from twinforge.errors import Problem
from twinforge.lock.cuda import cuda_troubles
from twinforge.lock.resolve import apt_packages
from twinforge.lock.resolver import OLDEST_PYTHON
from twinforge.model.matrix import Bootstrap
from twinforge.model.recipe import Twin
from twinforge.model.rules import applies

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from twinforge.api.workspace import Workspace
    from twinforge.compat.question import Answer
    from twinforge.lock.locked import VariantLock
    from twinforge.model.matrix import Axis, Base, Served
    from twinforge.model.place import Place
    from twinforge.model.recipe import AptPackage, Package, Recipe
    from twinforge.model.variant import Variant

__all__ = ["Compatibility", "check_compatibility"]

_CPU_ARCH = "amd64"
"""What images are built for."""
_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Compatibility:
    """What the facts say of a project.

    ``problems`` can't work, each with the fewest facts that show it; ``warnings`` are what is not
    known, and what is there twice; ``conditions`` are what has to be done for it to work;
    ``shelved`` is what is not made, with the reason and what speaks against it.
    """

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    conditions: tuple[Problem, ...]
    shelved: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class _Cell:
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


def check_compatibility(workspace: Workspace, today: date) -> Compatibility:
    """Ask the facts about every variant and every instance type that it serves.

    Args:
        workspace: The project.
        today: What ends of life are compared with.

    Raises:
        ProjectError: A recipe, the matrix or a lock is wrong.
    """
    found = _Found()
    with workspace.own_data():
        for variant in workspace.project.variants:
            for cell in _cells(workspace, variant, today):
                found.add(cell)
            found.add_python(workspace, variant)
            found.add_libraries(workspace, variant)
            found.add_duplicate(workspace, variant)
        shelved = tuple(_shelved(workspace, today))
    return replace(found.told(), shelved=shelved)


def _shelved(workspace: Workspace, today: date) -> Iterator[Problem]:
    """Yield what is shelved, one note for each reason, and then what speaks against it."""
    reasons = _Notes()
    found = _Found()
    for variant in workspace.project.shelved:
        if variant.shelf is not None:
            reasons.add(variant.shelf.rule.place, variant.shelf.reason, variant.id)
        for cell in _cells(workspace, variant, today):
            found.add(cell)
        found.add_python(workspace, variant)
        found.add_libraries(workspace, variant)
    told = found.told()
    yield from reasons.told()
    yield from told.problems
    yield from told.warnings


class _Notes:
    """Messages with the cells that they are about; the same of several cells is told once."""

    def __init__(self) -> None:
        self._cells: dict[tuple[Place, str], list[str]] = {}

    def add(self, place: Place, message: str, cell: str) -> bool:
        """Note a message; whether it is a new one."""
        known = self._cells.setdefault((place, message), [])
        if cell not in known:
            known.append(cell)
        return len(known) == 1

    def told(self) -> tuple[Problem, ...]:
        """Return them in the order of their first cells."""
        found = []
        for (place, message), cells in self._cells.items():
            more = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
            text = f"{cells[0]}{more}: {message}"
            found.append(Problem(place.path, place.line, place.column, "", text))
        return tuple(found)


class _Found:
    """What was found so far."""

    def __init__(self) -> None:
        self._answers: dict[Question, Answer] = {}
        self._nearest: dict[tuple[str, ...], str] = {}
        self._problems = _Notes()
        self._warnings = _Notes()
        self._conditions = _Notes()

    def add(self, cell: _Cell) -> None:
        """Ask of a cell and note what is to be said of it."""
        question = cell.question
        if question not in self._answers:
            self._answers[question] = resolve(question, changes=0)
        answer = self._answers[question]
        if answer.verdict is Verdict.IMPOSSIBLE:
            self._problems.add(*self._conflict(cell, answer), cell.told)
            return
        for missing in answer.missing:
            self._warnings.add(
                cell.place, f"it is not known whether this works: {missing}", cell.told
            )
        for condition in answer.conditions:
            self._conditions.add(cell.place, f"works on condition: {condition}", cell.told)

    def _conflict(self, cell: _Cell, answer: Answer) -> tuple[Place, str]:
        places = cell.question.places
        facts = "; ".join(f"{fact.text} ({fact.sources[0]})" for fact in answer.conflict)
        asked = [replace(ask, place=places.get(ask.label, "")) for ask in answer.asked]
        lines = ", ".join(str(ask) for ask in asked if ask.place)
        key = (*(ask.text for ask in asked), facts)
        if key not in self._nearest:
            # once for a conflict: looking for what would work takes longer than seeing that it can't
            near = resolve(cell.question, changes=1).nearest
            texts = f"; this would work: {', '.join(near[0].texts)}" if near else ""
            self._nearest[key] = texts
        return cell.place, f"can't work: {facts}; asked for: {lines}{self._nearest[key]}"

    def add_python(self, workspace: Workspace, variant: Variant) -> None:
        """Note a Python that nothing can be locked for."""
        if tuple(int(part) for part in variant.python.split(".")) < OLDEST_PYTHON:
            oldest = ".".join(map(str, OLDEST_PYTHON))
            message = f"Python {variant.python} is older than any that uv resolves for ({oldest})"
            self._problems.add(_python_axis(workspace, variant).place, message, variant.id)

    def add_libraries(self, workspace: Workspace, variant: Variant) -> None:
        """Note libraries of CUDA that the variant's base can't have."""
        for trouble in cuda_troubles(workspace.project.recipe_for(variant), variant):
            self._problems.add(trouble.place, trouble.message, variant.id)

    def add_duplicate(self, workspace: Workspace, variant: Variant) -> None:
        """Note CUDA that is in an image more than once."""
        if not variant.accelerator.cuda:
            return
        recipe = workspace.project.recipe_for(variant)
        lock = _lock_of(workspace, variant)
        duplicate = find_duplicate(
            _text_of(variant.base),
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
        self._warnings.add(variant.accelerator.place, message, variant.id)

    def told(self) -> Compatibility:
        """Return everything, each thing once."""
        return Compatibility(self._problems.told(), self._warnings.told(), self._conditions.told())


def _cells(workspace: Workspace, variant: Variant, today: date) -> Iterator[_Cell]:
    """Yield a variant with each instance type that it serves, or alone where it serves none."""
    question = _question(workspace, variant, today)
    matrix = workspace.project.matrix
    served = [one for one in matrix.serves if applies(one, variant.words)]
    if not served:
        yield _Cell(variant, question, None, variant.accelerator.place)
    for one in served:
        places = {**question.places, instance_label(one.instance): str(one.place)}
        asked = replace(question, instances=(one.instance,), use=one.use, places=places)
        yield _Cell(variant, asked, one, one.place)


def _question(workspace: Workspace, variant: Variant, today: date) -> Question:
    accelerator, base = variant.accelerator, variant.base
    recipe = workspace.project.recipe_for(variant)
    lock = _lock_of(workspace, variant)
    frameworks = dict(_frameworks(recipe, variant, lock))
    places = {
        "cuda": str(accelerator.place),
        "cudnn": str(accelerator.place),
        "device": str(accelerator.place),
        "python": str(_python_axis(workspace, variant).place),
        "base": str(base.place),
    }
    places |= {framework_label(name): str(place) for name, (_, place) in frameworks.items()}
    return Question(
        frameworks=tuple(wanted for wanted, _ in frameworks.values()),
        cuda=accelerator.cuda,
        cudnn=_cudnn(accelerator.cudnn, lock),
        python=variant.python,
        base=_text_of(base),
        cpu_arch=_CPU_ARCH,
        device="cuda" if accelerator.cuda else "cpu",
        today=today,
        places=places,
    )


def _python_axis(workspace: Workspace, variant: Variant) -> Axis:
    """Return the axis that a variant's Python is a value of: its recipe's own, or the matrix's."""
    project = workspace.project
    axes = (*project.recipe(variant.recipe).axes, *project.matrix.axes)
    return next(axis for axis in axes if axis.name == "python")


def _frameworks(
    recipe: Recipe, variant: Variant, lock: VariantLock | None
) -> Iterator[tuple[str, tuple[Wanted, Place]]]:
    """Yield the frameworks of a variant by name, as its lock has them, or else its recipe."""
    locked = {wheel.name: wheel.version for wheel in lock.wheels} if lock else {}
    for package in recipe.packages:
        requirement = _requirement(package, variant)
        name = canonicalize_name(requirement.name)
        framework = framework_of(name)
        if framework is None or (requirement.marker and name not in locked):
            continue
        extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
        version = f"=={locked[name]}" if name in locked else str(requirement.specifier)
        yield framework, (Wanted(f"{name}{extras}", version, exact=True), package.place)


def _asked_apt(recipe: Recipe, variant: Variant) -> Sequence[AptPackage]:
    """Return what is asked of apt, before it is locked; libraries that can't be had are told apart."""
    if cuda_troubles(recipe, variant):
        return ()
    return apt_packages(recipe, variant)


def _requirement(package: Package | Twin, variant: Variant) -> Requirement:
    if isinstance(package, Twin):
        return Requirement(f"{package.names[variant.accelerator.kind]}{package.version}")
    return package.requirement


def _carriers(recipe: Recipe, variant: Variant) -> Iterator[str]:
    """Yield the requirements that bring NVIDIA's wheels."""
    for package in recipe.packages:
        requirement = _requirement(package, variant)
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


def _cudnn(declared: str, lock: VariantLock | None) -> str:
    """Return the cuDNN that will be in the image: its locked wheel's, or what is declared."""
    wheels: Sequence[str] = [
        wheel.version
        for wheel in (lock.wheels if lock else ())
        if wheel.name.startswith("nvidia-cudnn-cu")
    ]
    return wheels[0] if wheels else declared


def _lock_of(workspace: Workspace, variant: Variant) -> VariantLock | None:
    lock = workspace.lock_of(variant.recipe)
    known: Iterable[VariantLock] = lock.variants if lock else ()
    return next((one for one in known if one.slug == variant.slug), None)


def _text_of(base: Base) -> str:
    source = base.source
    return source.suite if isinstance(source, Bootstrap) else str(source)
