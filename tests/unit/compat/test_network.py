from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from twinforge.compat.network import Limit, Network, Relation, Table, bits
from twinforge.compat.verdict import Judgement, Verdict

SIZES = {"a": 3, "b": 4, "c": 2}
PAIRS = (("a", "b"), ("b", "c"), ("a", "c"))
VERDICTS = st.sampled_from(list(Verdict))
TABLES = st.fixed_dictionaries(
    {
        pair: st.lists(
            VERDICTS,
            min_size=SIZES[pair[0]] * SIZES[pair[1]],
            max_size=SIZES[pair[0]] * SIZES[pair[1]],
        )
        for pair in PAIRS
    }
)
Verdicts = dict[tuple[str, str], list[Verdict]]


def network(verdicts: Verdicts) -> Network:
    relations = []
    for (left, right), cells in verdicts.items():

        def judge(one: int, other: int, *, cells: Any = cells, right: str = right) -> Judgement:
            return Judgement(cells[one * SIZES[right] + other])

        table = Table(range(SIZES[left]), range(SIZES[right]), judge)
        relations.append(Relation(frozenset({left + right}), left, right, table))
    values = {name: range(size) for name, size in SIZES.items()}
    return Network(values, relations, {"few": Limit("b", 0b0111)})


def by_hand(verdicts: Verdicts, worst: Verdict, *, limited: bool) -> list[dict[str, int]]:
    found = []
    for a, b, c in itertools.product(*(range(size) for size in SIZES.values())):
        cell = {"a": a, "b": b, "c": c}
        judged = [
            cells[cell[left] * SIZES[right] + cell[right]]
            for (left, right), cells in verdicts.items()
        ]
        if all(one.rank <= worst.rank for one in judged) and not (limited and b == 3):
            found.append(cell)
    return found


@given(TABLES, VERDICTS, st.booleans())
def test_every_solution_is_found_best_first(
    verdicts: Verdicts,
    worst: Verdict,
    limited: bool,  # noqa: FBT001 - hypothesis passes it
) -> None:
    one = network(verdicts)
    kept = one.labels if limited else one.labels - {"few"}
    assert list(one.solutions(kept, worst)) == by_hand(verdicts, worst, limited=limited)


@given(TABLES)
def test_what_remains_of_a_variable_is_what_solutions_have(verdicts: Verdicts) -> None:
    one = network(verdicts)
    expected = {cell["b"] for cell in by_hand(verdicts, Verdict.UNKNOWN, limited=True)}
    assert set(one.remaining(one.labels, "b")) == expected


@given(TABLES)
def test_a_relation_counts_only_with_all_its_labels(verdicts: Verdicts) -> None:
    one = network(verdicts)
    without = {pair: cells for pair, cells in verdicts.items() if pair != ("a", "b")}
    kept = one.labels - {"ab", "few"}
    assert list(one.solutions(kept)) == by_hand(without, Verdict.UNKNOWN, limited=False)


@given(TABLES)
def test_distinct_gives_each_combination_once_with_the_best_of_the_rest(verdicts: Verdicts) -> None:
    one = network(verdicts)
    found = list(one.distinct(one.labels, Verdict.UNKNOWN, ["c", "a"]))
    best: dict[tuple[int, int], dict[str, int]] = {}
    for cell in by_hand(verdicts, Verdict.UNKNOWN, limited=True):
        best.setdefault((cell["c"], cell["a"]), cell)
    assert found == [best[pair] for pair in sorted(best)]


@given(TABLES)
def test_what_is_to_be_near_is_chosen_first_in_its_order(verdicts: Verdicts) -> None:
    one = network(verdicts)
    found = one.first(one.labels, nearest={"b": (2, 1, 3, 0)})
    by_nearness = sorted(
        by_hand(verdicts, Verdict.UNKNOWN, limited=True),
        key=lambda cell: ((2, 1, 3, 0).index(cell["b"]), cell["a"], cell["c"]),
    )
    assert found == (by_nearness[0] if by_nearness else None)


def test_bits_are_the_positions_of_those_set() -> None:
    assert list(bits(0b1011)) == [0, 1, 3]
