from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinforge.compat.conflict import smallest_conflict, smallest_hitting_set

LABELS = "abcdefg"
CONFLICTS = st.lists(
    st.frozensets(st.sampled_from(LABELS), min_size=1, max_size=4), min_size=1, max_size=5
)


@given(CONFLICTS)
def test_the_conflict_is_one_of_the_smallest_there_are(conflicts: list[frozenset[str]]) -> None:
    def holds(labels: frozenset[str]) -> bool:
        return not any(conflict <= labels for conflict in conflicts)

    def holding(labels: frozenset[str]) -> frozenset[str] | None:
        return labels if holds(labels) else None

    found = frozenset(smallest_conflict(LABELS, holding))
    assert not holds(found)
    assert len(found) == min(len(conflict) for conflict in conflicts)
    assert all(holds(found - {label}) for label in found)


def test_what_holds_together_has_no_conflict() -> None:
    with pytest.raises(ValueError, match="no conflict"):
        smallest_conflict(LABELS, lambda labels: labels)


@given(st.lists(st.frozensets(st.sampled_from(LABELS), min_size=1), max_size=6))
def test_no_smaller_set_touches_all(sets: list[frozenset[str]]) -> None:
    found = smallest_hitting_set(LABELS, sets)
    assert all(found & one for one in sets)
    smaller = itertools.combinations(LABELS, max(len(found) - 1, 0))
    assert not found or not any(all(set(some) & one for one in sets) for some in smaller)


def test_an_empty_set_can_not_be_touched() -> None:
    with pytest.raises(ValueError, match="empty"):
        smallest_hitting_set(LABELS, [frozenset()])
