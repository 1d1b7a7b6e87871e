from __future__ import annotations

import pytest

from twinforge.runtime.body import Body
from twinforge.runtime.budget import Budget, Share, budget_bytes
from twinforge.runtime.machine import Machine


class Asking:
    """Asks for shares by name, and notes who was let in later."""

    def __init__(self, limit_bytes: int) -> None:
        self.budget = Budget(limit_bytes)
        self.let_in: list[str] = []

    def ask(self, name: str, size_bytes: int) -> Share:
        return self.budget.ask(size_bytes, lambda: self.let_in.append(name))


def test_a_body_without_room_waits_until_enough_is_given_back() -> None:
    asking = Asking(100)
    first, second = asking.ask("first", 60), asking.ask("second", 40)
    third = asking.ask("third", 70)
    assert [share.is_granted for share in (first, second, third)] == [True, True, False]
    second.give_back()
    assert asking.let_in == []
    first.give_back()
    assert asking.let_in == ["third"]
    assert asking.budget.held_bytes == 70


def test_a_small_body_does_not_overtake_a_big_one_that_waits() -> None:
    asking = Asking(100)
    first = asking.ask("first", 60)
    asking.ask("big", 90)
    small = asking.ask("small", 10)
    assert not small.is_granted
    first.give_back()
    assert asking.let_in == ["big", "small"]


def test_a_body_that_is_longer_than_the_budget_has_room_alone() -> None:
    asking = Asking(100)
    first = asking.ask("first", 1)
    longer = asking.ask("longer", 5000)
    assert not longer.is_granted
    first.give_back()
    assert longer.is_granted
    assert not asking.ask("other", 1).is_granted


def test_a_body_that_nothing_limits_takes_the_whole_budget_until_it_is_there() -> None:
    asking = Asking(100)
    chunked = asking.ask("chunked", 0)
    asking.ask("other", 80)
    chunked.shrink(20)
    assert asking.let_in == ["other"]
    assert asking.budget.held_bytes == 100


def test_what_leaves_the_queue_lets_in_what_is_behind_it() -> None:
    asking = Asking(100)
    asking.ask("first", 60)
    gone = asking.ask("gone", 90)
    asking.ask("last", 40)
    gone.give_back()
    gone.give_back()
    assert asking.let_in == ["last"]
    assert asking.budget.held_bytes == 100


@pytest.mark.parametrize(
    ("memory_bytes", "workers", "expected"),
    [(2_000_000_000, 2, 100_000_000), (0, 2, 256 * 1024 * 1024)],
    ids=["a tenth, shared by the workers", "nobody knows how much there is"],
)
def test_the_budget_follows_from_the_memory(memory_bytes: int, workers: int, expected: int) -> None:
    assert budget_bytes(Machine(2, memory_bytes, 0), workers) == expected


def test_a_body_is_what_came_in_parts_and_what_was_read_into_its_memory() -> None:
    body = Body(10)
    body.add(b"ab")
    body.add(b"c")
    while body.received_bytes < body.length_bytes:
        rest = body.rest()
        rest[:1] = b"%d" % body.received_bytes
        body.received_bytes += 1
    assert body.take() == b"abc3456789"
    assert body.take() == b""
