"""What to ask for instead: the fewest changes that work, and the nearest value of each."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, islice
from typing import TYPE_CHECKING, Any

from twinforge.compat.domain import Unheard
from twinforge.compat.frameworks import FrameworkBuild
from twinforge.compat.grounds import Ground
from twinforge.compat.instances import instance_types
from twinforge.compat.network import bits
from twinforge.compat.pose import pose
from twinforge.compat.question import Change, Wanted
from twinforge.compat.solution import solve, solved
from twinforge.compat.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from twinforge.compat.instances import InstanceType
    from twinforge.compat.pose import Posed
    from twinforge.compat.question import Question
    from twinforge.compat.solution import Solved

__all__ = ["nearest_changes"]

_MOST_AT_ONCE = 3
_INSTANCES = 2
"""How many other instance types are named for one that can't run it."""
_ORDER = ("cuda", "cudnn", "python", "base", "arch")
"""What is changed rather than a framework, first to last."""


def nearest_changes(question: Question, posed: Posed, limit: int) -> tuple[Change, ...]:
    """Return changes that work, best first: the fewest at once, and other instance types last.

    Args:
        question: What does not work.
        posed: The same as a network.
        limit: How many to return at most.
    """
    changes = list(_of_asks(question, posed))[:limit]
    room = max(limit - len(changes), 1) if limit else 0
    others = _of_instances(question, posed, may_lose_gpu=not changes)
    return (*changes, *islice(others, room))[:limit]


def _of_asks(question: Question, posed: Posed) -> Iterator[Change]:
    labels = sorted(
        (label for label in posed.network.limits if not label.startswith("ami:")), key=_rank
    )
    if "ami" in {label.partition(":")[0] for label in posed.network.limits}:
        labels.append("ami")
    for size in range(1, _MOST_AT_ONCE + 1):
        found: list[Change] = []
        for chosen in combinations(labels, size):
            found += _changed(question, posed, chosen)
        if found:
            yield from sorted(found, key=lambda change: change.verdict.rank)
            return


def _rank(label: str) -> int:
    return _ORDER.index(label) if label in _ORDER else len(_ORDER)


def _changed(question: Question, posed: Posed, chosen: Sequence[str]) -> Iterator[Change]:
    """Yield what works as it is, and what is nearer and works with a condition."""
    free = {
        label
        for label in posed.network.limits
        if label in chosen or ("ami" in chosen and label.startswith("ami:"))
    }
    nearest = {
        limit.variable: _by_distance(posed, limit.variable, limit.mask)
        for limit in (posed.network.limits[label] for label in free if not _is_ami(label))
    }
    kept = posed.network.labels - free
    told = None
    for worst in (Verdict.WORKS, Verdict.CONDITIONAL):
        found = posed.network.first(kept, worst, nearest=nearest)
        if found is None:
            continue
        answer = solved(posed, kept, found)
        texts, changed = [], question
        for label in chosen:
            text, changed = _instead(label, posed, answer, changed)
            texts.append(text)
        # what was let go may have been why the question is about CUDA at all: it is asked anew
        again = solve(pose(changed)) if texts != told else None
        if again is not None and again.verdict.rank <= Verdict.CONDITIONAL.rank:
            told = texts
            yield Change(tuple(texts), changed, again.verdict, again.conditions, again.choice)


def _is_ami(label: str) -> bool:
    return label.startswith("ami:")


def _by_distance(posed: Posed, variable: str, mask: int) -> Sequence[int]:
    """Return the positions of a part's values, those nearest to what was asked for first."""
    values = posed.domains[variable].values
    asked = list(bits(mask))
    kinds = {_kind(values[position]) for position in asked}
    if any(isinstance(values[position], Unheard) for position in asked):
        return range(len(values))
    return sorted(
        range(len(values)),
        key=lambda one: (
            _kind(values[one]) not in kinds,
            min(abs(one - other) for other in asked),
            one,
        ),
    )


def _kind(value: Any) -> str:
    """Return what should stay as it was, whatever changes: a package, an image's system."""
    if isinstance(value, Ground):
        return value.system if value.image else value.system.partition("-")[0]
    return value.package if isinstance(value, FrameworkBuild) else ""


def _instead(label: str, posed: Posed, answer: Solved, question: Question) -> tuple[str, Question]:
    """Return one change in words, and the question with it."""
    if label == "ami":
        return f"no AMI version instead of {question.ami}", replace(question, ami="")
    ask = posed.asks[label]
    if label in _ORDER:
        new = getattr(answer.choice, "cpu_arch" if label == "arch" else label)
        name = "cpu_arch" if label == "arch" else label
        old = getattr(question, name)
        what = ask.text.removesuffix(old).strip()
        changed: dict[str, Any] = {name: new}
        return f"{what} {new} instead of {old}", replace(question, **changed)
    variable = posed.network.limits[label].variable
    pin = next(pin for pin in answer.choice.frameworks if pin.framework == variable)
    wanted = tuple(
        Wanted(pin.package, f"=={pin.version}", exact=True) if str(one) == ask.text else one
        for one in question.frameworks
    )
    return f"{pin} instead of {ask.text}", replace(question, frameworks=wanted)


def _of_instances(question: Question, posed: Posed, *, may_lose_gpu: bool) -> Iterator[Change]:
    """Yield other instance types, one of a family, with a GPU as near as possible to the old one."""
    known = instance_types()
    has_gpu = "cuda" in posed.domains
    # where nothing but the type itself speaks of a GPU, one without it is better than none
    is_asked = bool(question.cuda or question.cudnn or question.device == "cuda")
    may_lose_gpu = may_lose_gpu and not is_asked
    for position, name in enumerate(question.instances):
        if name not in known:
            continue
        found: list[Change] = []
        for needs_gpu in (has_gpu, False):
            if not found and (needs_gpu or may_lose_gpu or not has_gpu):
                others = _alike(known[name], question, needs_gpu=needs_gpu)
                found = list(islice(_instead_of(question, position, others), _INSTANCES))
        yield from found


def _instead_of(
    question: Question, position: int, others: Sequence[InstanceType]
) -> Iterator[Change]:
    name = question.instances[position]
    tried = []
    for other in others:
        instances = list(question.instances)
        instances[position] = other.name
        if len(set(instances)) == len(instances):
            changed = replace(question, instances=tuple(instances))
            tried.append((other, changed, pose(changed)))
    for worst in (Verdict.WORKS, Verdict.CONDITIONAL):
        for other, changed, other_posed in tried:
            kept = other_posed.network.labels
            found = other_posed.network.first(kept, worst)
            if found is None:
                continue
            answer = solved(other_posed, kept, found)
            if answer.verdict is worst:
                texts = (f"{other.name} instead of {name}",)
                yield Change(texts, changed, worst, answer.conditions, answer.choice)


def _alike(old: InstanceType, question: Question, *, needs_gpu: bool) -> list[InstanceType]:
    """Return one type of every other family that is offered for the use, the most alike first."""
    size = old.name.rpartition(".")[2]
    families: dict[str, InstanceType] = {}
    for other in instance_types().values():
        if (
            other.family == old.family
            or question.use not in other.uses
            or (needs_gpu and other.gpu is None)
        ):
            continue
        if other.family not in families or other.name.endswith(f".{size}"):
            families[other.family] = other
    return sorted(families.values(), key=lambda other: _distance(old, other))


def _distance(old: InstanceType, other: InstanceType) -> tuple[int, ...]:
    """How unlike two types are: another kind of machine, then a GPU that is further away."""
    unlike = int(old.accelerator != other.accelerator) + int(old.cpu_arch != other.cpu_arch)
    if old.gpu is None or other.gpu is None:
        return unlike, 0
    one, two = old.gpu.compute_capability.parts, other.gpu.compute_capability.parts
    return unlike, abs((one[0] - two[0]) * 10 + one[1] - two[1])
