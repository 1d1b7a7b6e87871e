"""An interrupted benchmark goes on only where it would measure the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.kept import Kept
from benchmarks.results import Metric, Result

if TYPE_CHECKING:
    from pathlib import Path

METRICS = (Metric("time", "s", limit=0.5, is_ratio=True),)
COLD = Result("cold", METRICS, ({"time": 1.0}, {"time": 2.0}), ({"time": 4.0},))
PUSH = Result("push", METRICS, ({"time": 3.0},))


def test_what_was_measured_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    Kept(path, "abc").add("cold", COLD)
    Kept(path, "abc").add("push", PUSH)
    assert Kept(path, "abc").results() == {"cold": COLD, "push": PUSH}


def test_another_state_counts_for_nothing_and_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    Kept(path, "abc").add("cold", COLD)
    assert Kept(path, "def").results() == {}
    Kept(path, "def").add("push", PUSH)
    assert Kept(path, "def").results() == {"push": PUSH}
    assert Kept(path, "abc").results() == {}


def test_uncommitted_changes_count_for_nothing(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept.json", "abc-dirty")
    kept.add("cold", COLD)
    assert kept.results() == {}


def test_a_failure_is_tried_again_and_what_is_forgotten_is_gone(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept.json", "abc")
    kept.add("cold", Result("cold", METRICS, failure="docker ended with status 1"))
    assert kept.results() == {}
    kept.add("push", PUSH)
    kept.forget()
    kept.forget()
    assert kept.results() == {}
