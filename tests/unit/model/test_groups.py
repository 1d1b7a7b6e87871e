from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from twinforge.model.groups import sample_pairs
from twinforge.model.matrix import Accelerator, Base, Bootstrap
from twinforge.model.place import Place
from twinforge.model.variant import Variant

PLACE = Place("matrix.yaml", 1, 1)
CPU = Accelerator("cpu", "", "", (), PLACE)
BASE = Base("debian-12", "debian-12", "", Bootstrap("bookworm", "", ()), PLACE)


def cell(values: tuple[int, ...]) -> Variant:
    pairs = tuple((f"axis{index}", str(value)) for index, value in enumerate(values))
    return Variant("digits", "1", pairs, CPU, BASE, "3.11")


def pairs_of(variants: list[Variant]) -> set[tuple[tuple[str, str], tuple[str, str]]]:
    return {pair for one in variants for pair in itertools.combinations(one.values, 2)}


@st.composite
def matrices(draw: st.DrawFn) -> list[Variant]:
    """Any part of a product of two to five axes, as rules may leave it."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=2, max_size=5))
    cells = list(itertools.product(*map(range, sizes)))
    kept = draw(st.lists(st.sampled_from(cells), min_size=1, unique=True))
    return [cell(values) for values in sorted(kept)]


@settings(max_examples=150)
@given(matrices())
def test_every_pair_of_values_that_occurs_is_in_the_sample(variants: list[Variant]) -> None:
    sample = list(sample_pairs(variants))
    assert pairs_of(sample) == pairs_of(variants)
    positions = [variants.index(one) for one in sample]
    assert positions == sorted(set(positions))
    assert sample_pairs(variants) == tuple(sample)


@given(matrices())
def test_no_variant_is_taken_without_need(variants: list[Variant]) -> None:
    # a greedy choice adds a pair with each step, so that there are never more than pairs
    assert len(sample_pairs(variants)) <= len(pairs_of(variants))


def test_the_sample_of_a_big_matrix_is_small() -> None:
    variants = [cell(values) for values in itertools.product(range(5), repeat=5)]
    # 25 are the least for five values (an orthogonal array), 3125 are there
    assert 25 <= len(sample_pairs(variants)) <= 45


def test_of_equals_the_first_is_taken() -> None:
    variants = [cell(values) for values in ((0, 0), (0, 1), (1, 0), (1, 1))]
    assert sample_pairs(variants) == tuple(variants)
    three = [cell(values) for values in itertools.product(range(2), repeat=3)]
    assert [one.slug for one in sample_pairs(three)] == ["0-0-0", "0-1-1", "1-0-1", "1-1-0"]


def test_one_axis_is_sampled_value_by_value_and_nothing_gives_nothing() -> None:
    variants = [cell((value,)) for value in range(3)]
    assert sample_pairs(variants) == tuple(variants)
    assert sample_pairs([]) == ()
