from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from twinforge.runtime.patience import Late, Patience, still_waits
from twinforge.runtime.watch import Watch

if TYPE_CHECKING:
    from pathlib import Path

SENDER = 77
TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5 1 0
   1: 0100007F:1F90 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 77 1 0
   2: 0100007F:1F90 0100007F:C002 08 00000000:00000000 00:00000000 00000000     0        0 78 1 0
"""


class Clock:
    """A time that moves when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now_s)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def patience(watch: Watch, *, waits: bool = True) -> Patience:
    return Patience(watch, limit_s=3600, left_s=60, stop_s=25, waits=lambda _: waits)


@pytest.mark.parametrize(
    ("sender", "waits", "took_s", "late"),
    [
        (SENDER, True, 3599.0, None),
        (SENDER, True, 3601.0, Late(3601.0, 3600, is_left=False)),
        (SENDER, False, 59.0, None),
        (SENDER, False, 61.0, Late(61.0, 60, is_left=True)),
        (0, False, 3599.0, None),  # nobody in particular can go
        (0, False, 3601.0, Late(3601.0, 3600, is_left=False)),
    ],
)
def test_a_prediction_has_an_hour_and_a_minute_when_its_sender_has_gone(
    clock: Clock, sender: int, took_s: float, late: Late | None, *, waits: bool
) -> None:
    watch = Watch(1)
    watch.begin(1, clock.now_s, sender)
    clock.now_s += took_s
    assert patience(watch, waits=waits).look() == late


def test_it_is_told_once_and_killed_if_nothing_comes_of_it(clock: Clock) -> None:
    watch = Watch(2)
    watch.begin(0, clock.now_s - 10, SENDER)
    watch.begin(2, clock.now_s - 4000, SENDER)
    judge = patience(watch)
    assert judge.look() is not None
    assert (judge.look(), judge.is_over(), watch.overdue()) == (None, False, frozenset({2}))
    clock.now_s += 3.1
    assert judge.is_over()
    watch.note_ending()  # others may go on for as long as after SIGTERM
    assert not judge.is_over()
    clock.now_s += 25
    assert judge.is_over()


def test_one_that_ends_just_then_ends_nothing(clock: Clock) -> None:
    watch = Watch(1)
    watch.begin(1, clock.now_s - 4000, SENDER)
    judge = patience(watch)
    assert judge.look() is not None
    watch.end(1)
    watch.begin(1, clock.now_s, SENDER)
    assert watch.overdue() == frozenset()
    clock.now_s += 4
    assert (judge.is_over(), judge.look()) == (False, None)
    clock.now_s += 4000
    assert judge.look() is not None


@pytest.mark.parametrize(("sender", "waits"), [(77, True), (78, False), (79, False)])
def test_the_kernel_knows_who_has_gone(tmp_path: Path, sender: int, *, waits: bool) -> None:
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/tcp").write_text(TABLE)
    assert still_waits(sender, tmp_path) is waits


def test_who_can_t_be_asked_for_waits(tmp_path: Path) -> None:
    assert still_waits(77, tmp_path)
