"""Why no image of a release runs on an instance type: the nearest one, what it lacks, what would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.compat.facts import Dotted
from twinforge.compat.resolve import resolve
from twinforge.compat.verdict import Verdict
from twinforge.errors import ImpossibleError, UnknownError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from twinforge.compat.instances import InstanceType
    from twinforge.compat.question import Answer, Change, Question
    from twinforge.registry.releases import ReleasedVariant

__all__ = ["Judged", "refusal"]

_CHANGES = 5
_SHOWN = 2
"""How many variants that could be pushed are named."""
_OTHER_CUDA, _ASKED_FOR, _OTHER_MACHINE, _NOTHING = range(4)
"""How far a variant is from being chosen, nearest first."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A variant, what was asked of the facts for it, and their answer.

    ``is_unused_only`` says that it works, and is refused since it leaves an accelerator unused.
    """

    variant: ReleasedVariant
    question: Question
    answer: Answer
    is_unused_only: bool = False


def refusal(
    recipe: str,
    machine: InstanceType,
    judged: Sequence[Judged],
    *,
    cpu_archs: AbstractSet[str],
    unpushed: Sequence[str] = (),
) -> UnknownError | ImpossibleError:
    """Return the error for a release of which nothing runs on an instance type.

    Its message names the variant that is nearest to running there and what speaks against it; its
    hint is what would run there, and where the variant would.

    Args:
        recipe: Whose release it is.
        machine: The instance type.
        judged: All variants that came into question, at least one; none of them works.
        cpu_archs: Those that the release has an image without CUDA for, wished for or not.
        unpushed: Variants that are declared and not pushed, and would run there, best first.
    """
    near: dict[Question, tuple[Change, ...]] = {}
    for one in judged:
        # variants that differ in their Python only are one question
        if one.question not in near:
            near[one.question] = (
                () if one.is_unused_only else resolve(one.question, changes=_CHANGES).nearest
            )
    best = min(judged, key=lambda one: _distance(one, near[one.question]))
    answer, slug = best.answer, best.variant.slug
    hint = "; ".join(
        [*_to_push(recipe, unpushed), *_advice(best, near[best.question], machine, cpu_archs)]
    )
    why = f"the nearest is '{slug}', but {_why_not(best)}"
    if answer.verdict is Verdict.UNKNOWN:
        message = f"it is not known whether '{recipe}' runs on {machine.name}: {why}"
        return UnknownError(message, hint=hint)
    return ImpossibleError(f"no variant of '{recipe}' runs on {machine.name}: {why}", hint=hint)


def _distance(one: Judged, near: Sequence[Change]) -> tuple[bool, int, int]:
    # what may work is nearer than what can't
    is_known = one.answer.verdict is not Verdict.UNKNOWN
    if one.is_unused_only:
        return is_known, _ASKED_FOR, 0
    image = next(_of_image(one.question, near), None)
    if image is None:
        return is_known, _OTHER_MACHINE if near else _NOTHING, 0
    old, new = one.question.cuda, image.question.cuda
    return is_known, _OTHER_CUDA, _steps(old, new) if old and new else 0


def _steps(old: str, new: str) -> int:
    """Return how far two releases of CUDA are apart; a major one is more than all its minor ones."""
    one, other = (Dotted.parse(text).parts for text in (old, new))
    return abs((one[0] - other[0]) * 100 + one[1] - other[1])


def _of_image(question: Question, near: Sequence[Change]) -> Iterator[Change]:
    return (change for change in near if change.question.instances == question.instances)


def _to_push(recipe: str, unpushed: Sequence[str]) -> Iterator[str]:
    """Yield which declared variants would run there if they were pushed."""
    if not unpushed:
        return
    shown = " and ".join(f"'{slug}'" for slug in unpushed[:_SHOWN])
    more = f" and {len(unpushed) - _SHOWN} more" if len(unpushed) > _SHOWN else ""
    verb = "are" if len(unpushed) > 1 else "is"
    command = f"`twinforge push {recipe}/{unpushed[0]}`"
    yield f"{shown}{more} {verb} declared and would run there: {command}"


def _advice(
    one: Judged, near: Sequence[Change], machine: InstanceType, cpu_archs: AbstractSet[str]
) -> Iterator[str]:
    """Yield what would work: another image, the image elsewhere, the CPU image all the same."""
    asked = one.question
    image = next(_of_image(asked, near), None)
    if image is not None and image.question.cpu_arch != asked.cpu_arch:
        arch = image.question.cpu_arch
        yield f"an {arch} image would run there (the axis `arch` of the matrix), this is {asked.cpu_arch}"
    elif image is not None:
        changed = " and ".join(image.texts)
        yield f"an image with {changed} would run there{_on_condition(image)}"
    elif asked.cuda and machine.accelerator == "none" and machine.cpu_arch == asked.cpu_arch:
        yield "an image without CUDA would run there"
    moved = next((change for change in near if change.question.instances != asked.instances), None)
    if moved is not None:
        others = " and ".join(sorted(set(moved.question.instances) - set(asked.instances)))
        yield f"the nearest would run on {others}{_on_condition(moved)}"
    if machine.cpu_arch in cpu_archs and machine.accelerator != "none":
        yield "the CPU image can be asked for by accelerator 'cpu'; it leaves the accelerator unused"


def _on_condition(change: Change) -> str:
    return f", on condition: {', '.join(change.conditions)}" if change.conditions else ""


def _why_not(one: Judged) -> str:
    is_of_arch = any(ask.label == "arch" for ask in one.answer.asked)
    arch = f", the image is {one.question.cpu_arch}" if is_of_arch else ""
    return f"{one.answer.reason}{arch}"
