"""Values that have to go together: variables, judged relations between them, and the search.

A relation carries the labels of what it rests on and counts only where all of them are kept, so
that one network answers what is left when a fact is left out. Sets of values are bits of one
integer each; the domains are small (hundreds) and the relations are few, so that propagating and
backtracking over them takes less time than handing the same question to a solver would.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from twinforge.compat.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from twinforge.compat.verdict import Judgement

__all__ = ["ALWAYS", "Limit", "Network", "Relation", "Table", "bits"]

ALWAYS = "always"
"""A variable with one value, for relations that say something of one other variable only."""


def bits(mask: int) -> Iterator[int]:
    """Yield the positions of the bits that are set, lowest first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


class Table:
    """The judgements of the pairs of two lists of values, made when asked for and kept."""

    __slots__ = ("_columns", "_judge", "_known", "_left", "_right", "_rows")

    def __init__(
        self,
        left: Sequence[Any],
        right: Sequence[Any],
        judge: Callable[[Any, Any], Judgement],
    ) -> None:
        self._left = left
        self._right = right
        self._judge = judge
        self._known: dict[tuple[int, int], Judgement] = {}
        # by position: which partners were judged, and by rank which are not worse than it
        self._rows: dict[int, list[int]] = {}
        self._columns: dict[int, list[int]] = {}

    def judge(self, left: int, right: int) -> Judgement:
        """Return what is said of a pair, by their positions."""
        pair = left, right
        found = self._known.get(pair)
        if found is None:
            found = self._known[pair] = self._judge(self._left[left], self._right[right])
        return found

    def row(self, rank: int, left: int, among: int) -> int:
        """Return which values on the right are of this rank or better with one on the left."""
        kept = self._rows.get(left)
        if kept is None:
            kept = self._rows[left] = [0, 0, 0, 0]
        if among & ~kept[-1]:
            for right in bits(among & ~kept[-1]):
                _note(kept, right, self.judge(left, right).verdict.rank)
        return kept[rank] & among

    def column(self, rank: int, right: int, among: int) -> int:
        """Return which values on the left are of this rank or better with one on the right."""
        kept = self._columns.get(right)
        if kept is None:
            kept = self._columns[right] = [0, 0, 0, 0]
        if among & ~kept[-1]:
            for left in bits(among & ~kept[-1]):
                _note(kept, left, self.judge(left, right).verdict.rank)
        return kept[rank] & among


def _note(kept: list[int], position: int, rank: int) -> None:
    """Set a bit at its rank and at all worse ones; the last, "impossible", holds all."""
    for index in range(rank, len(kept)):
        kept[index] |= 1 << position


@dataclass(frozen=True, slots=True)
class Relation:
    """A table between two variables, and the labels of what it rests on."""

    labels: frozenset[str]
    left: str
    right: str
    table: Table


@dataclass(frozen=True, slots=True)
class Limit:
    """What was asked for: the values of a variable that may be taken, as bits."""

    variable: str
    mask: int


@dataclass(frozen=True, slots=True)
class Network:
    """Variables with their values (best first, in the order of the search), and what binds them.

    ``limits`` maps labels to limits; ``follows`` maps a variable to one that stands before it, and
    to the order in which its values are tried for each value of that one.
    """

    variables: Mapping[str, Sequence[Any]]
    relations: Sequence[Relation]
    limits: Mapping[str, Limit]
    follows: Mapping[str, tuple[str, Callable[[int], Sequence[int]]]] = field(default_factory=dict)

    @property
    def labels(self) -> frozenset[str]:
        """Everything that can be left out."""
        named = (relation.labels for relation in self.relations)
        return frozenset(self.limits).union(*named)

    def first(
        self,
        kept: AbstractSet[str],
        worst: Verdict = Verdict.UNKNOWN,
        *,
        nearest: Mapping[str, Sequence[int]] | None = None,
        known: AbstractSet[int] = frozenset(),
    ) -> dict[str, int] | None:
        """Return the best solution, or None where there is none.

        Args:
            kept: The labels that count.
            worst: The worst verdict that a relation may have in it.
            nearest: Orders of values for some variables, instead of best first.
            known: Positions of relations of which no worse is taken than "conditional".
        """
        return next(self.solutions(kept, worst, nearest=nearest, known=known), None)

    def fewest_unknown(self, kept: AbstractSet[str]) -> dict[str, int] | None:
        """Return the best of the solutions that leave as little unknown as can be, or None."""
        found = self.first(kept)
        if found is None:
            return None
        said = [
            (index, relation.table.judge(found[relation.left], found[relation.right]).verdict)
            for index, relation in enumerate(self.relations)
            if relation.labels <= kept
        ]
        known = {index for index, verdict in said if verdict is not Verdict.UNKNOWN}
        for index, verdict in said:
            if verdict is Verdict.UNKNOWN:
                better = self.first(kept, known=known | {index})
                if better is not None:
                    found = better
                    known.add(index)
        return found

    def solutions(
        self,
        kept: AbstractSet[str],
        worst: Verdict = Verdict.UNKNOWN,
        *,
        nearest: Mapping[str, Sequence[int]] | None = None,
        known: AbstractSet[int] = frozenset(),
    ) -> Iterator[dict[str, int]]:
        """Yield every solution, best first; arguments as for ``first``."""
        state, rules = self._start(kept, worst, nearest or {})
        if known:
            rules = replace(rules, known={id(self.relations[index]) for index in known})
        # what has to be near to something is chosen first: the rest follows from it
        names = sorted(self.variables, key=lambda name: name not in rules.nearest)
        if _propagated(state, rules, rules.relations):
            for left in self._search(state, rules, names):
                yield _positions(left)

    def distinct(
        self, kept: AbstractSet[str], worst: Verdict, names: Sequence[str]
    ) -> Iterator[dict[str, int]]:
        """Yield the best solution for each combination of some variables, best first."""
        state, rules = self._start(kept, worst, {})
        rest = [name for name in self.variables if name not in names]
        if _propagated(state, rules, rules.relations):
            for left in self._search(state, rules, list(names)):
                best = next(self._search(left, rules, rest), None)
                if best is not None:
                    yield _positions(best)

    def remaining(
        self,
        kept: AbstractSet[str],
        variable: str,
        worst: Verdict = Verdict.UNKNOWN,
        fixed: Mapping[str, int] | None = None,
    ) -> tuple[int, ...]:
        """Return the values of a variable that some solution has, with others ``fixed``."""
        state, rules = self._start(kept, worst, {})
        state.update({name: 1 << value for name, value in (fixed or {}).items()})
        if not _propagated(state, rules, rules.relations):
            return ()
        found = []
        for value in bits(state[variable]):
            tried = {**state, variable: 1 << value}
            if _propagated(tried, rules, rules.relations):
                search = self._search(tried, rules, list(self.variables))
                if next(search, None) is not None:
                    found.append(value)
        return tuple(found)

    def holding(self, kept: frozenset[str]) -> frozenset[str] | None:
        """Return these labels with all others that a solution of theirs meets, None without any."""
        state, rules = self._start(kept, Verdict.UNKNOWN, {})
        # what was asked for first, so that as much of it as can be is met
        asked = {limit.variable: limit.mask for limit in self.limits.values()}
        rules = replace(rules, asked=asked)
        if not _propagated(state, rules, rules.relations):
            return None
        left = next(self._search(state, rules, list(self.variables)), None)
        if left is None:
            return None
        found = _positions(left)
        broken = [
            relation.labels
            for relation in self.relations
            if relation.table.judge(found[relation.left], found[relation.right]).verdict
            is Verdict.IMPOSSIBLE
        ]
        held = set(kept)
        for label in sorted(self.labels - kept):
            limit = self.limits.get(label)
            if limit is not None and not limit.mask >> found[limit.variable] & 1:
                continue
            held.add(label)
            if any(label in labels and labels <= held for labels in broken):
                held.remove(label)
        return frozenset(held)

    def judgements(
        self, kept: AbstractSet[str], solution: Mapping[str, int]
    ) -> Iterator[Judgement]:
        """Yield what each relation says of a solution."""
        for relation in self.relations:
            if relation.labels <= kept:
                yield relation.table.judge(solution[relation.left], solution[relation.right])

    def _start(
        self, kept: AbstractSet[str], worst: Verdict, nearest: Mapping[str, Sequence[int]]
    ) -> tuple[dict[str, int], _Rules]:
        state = {name: (1 << len(values)) - 1 for name, values in self.variables.items()}
        for label, limit in self.limits.items():
            if label in kept:
                state[limit.variable] &= limit.mask
        relations = [relation for relation in self.relations if relation.labels <= kept]
        return state, _Rules(relations, worst, nearest)

    def _search(
        self, state: dict[str, int], rules: _Rules, open_names: list[str]
    ) -> Iterator[dict[str, int]]:
        """Yield states in which each of the names has one value."""
        several = [name for name in open_names if state[name] & (state[name] - 1)]
        if not several:
            yield state
            return
        name, *rest = several
        touching = [one for one in rules.relations if name in (one.left, one.right)]
        for value in self._order(name, state, rules):
            tried = {**state, name: 1 << value}
            if _propagated(tried, rules, touching):
                yield from self._search(tried, rules, rest)

    def _order(self, name: str, state: Mapping[str, int], rules: _Rules) -> Iterator[int]:
        mask = state[name]
        if name in rules.asked:
            yield from bits(mask & rules.asked[name])
            yield from bits(mask & ~rules.asked[name])
            return
        order: Sequence[int] | None = rules.nearest.get(name)
        if order is None and name in self.follows:
            leader, ordered = self.follows[name]
            # of a leader that is still open, any value tells the order as well as another
            order = ordered(state[leader].bit_length() - 1)
        if order is None:
            yield from bits(mask)
            return
        yield from (value for value in order if mask >> value & 1)


@dataclass(frozen=True, slots=True)
class _Rules:
    """What one search keeps to."""

    relations: Sequence[Relation]
    worst: Verdict
    nearest: Mapping[str, Sequence[int]]
    asked: Mapping[str, int] = field(default_factory=dict)
    known: AbstractSet[int] = frozenset()

    def worst_of(self, relation: Relation) -> Verdict:
        """Return the worst verdict that a relation may have."""
        return Verdict.CONDITIONAL if id(relation) in self.known else self.worst


def _positions(state: Mapping[str, int]) -> dict[str, int]:
    return {name: mask.bit_length() - 1 for name, mask in state.items()}


def _propagated(state: dict[str, int], rules: _Rules, first: Sequence[Relation]) -> bool:
    """Take values away that have no partner left, until nothing changes; false: none is left."""
    if not all(state.values()):
        return False
    # what takes most away with the least work comes first, which is the end of the queue
    queue = sorted(
        first, key=lambda one: -state[one.left].bit_count() * state[one.right].bit_count()
    )
    waiting = set(map(id, queue))
    while queue:
        relation = queue.pop()
        waiting.discard(id(relation))
        left, right = state[relation.left], state[relation.right]
        new_left, new_right = _revised(relation.table, left, right, rules.worst_of(relation).rank)
        if not new_left or not new_right:
            return False
        changed = []
        if new_left != left:
            state[relation.left] = new_left
            changed.append(relation.left)
        if new_right != right:
            state[relation.right] = new_right
            changed.append(relation.right)
        if changed:
            for other in rules.relations:
                if (
                    (other.left in changed or other.right in changed)
                    and other is not relation
                    and id(other) not in waiting
                ):
                    queue.append(other)
                    waiting.add(id(other))
    return True


def _revised(table: Table, left: int, right: int, rank: int) -> tuple[int, int]:
    """Return both domains without the values that have no partner; walks over the smaller."""
    # bits() is spelt out here: this loop is where the time goes
    kept, partners = 0, 0
    if left.bit_count() <= right.bit_count():
        while left:
            low = left & -left
            left ^= low
            row = table.row(rank, low.bit_length() - 1, right)
            if row:
                kept |= low
                partners |= row
        return kept, partners
    while right:
        low = right & -right
        right ^= low
        column = table.column(rank, low.bit_length() - 1, left)
        if column:
            kept |= low
            partners |= column
    return partners, kept
