from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from twinforge.api.moving import Moves
from twinforge.lock.locked import Deb, VariantLock

if TYPE_CHECKING:
    from pathlib import Path

LOCKED = VariantLock("cpu", "debian-12", (Deb("libgomp1", "12"),), ())


def test_nothing_has_moved_before_anything_was_found(tmp_path: Path) -> None:
    moves = Moves.read(tmp_path / "moved.json")
    assert moves.base_digest("sha256:a") == "sha256:a"
    assert moves.variant(LOCKED) is LOCKED


def test_what_was_found_holds_in_the_next_run_and_for_just_that_lock(tmp_path: Path) -> None:
    path = tmp_path / "state/moved.json"
    moves = Moves(path)
    moves.record_base("sha256:a", "sha256:b")
    moves.record_apt(LOCKED, {"libgomp1": "13", "gcc-13-base": "13"})
    again = Moves.read(path)
    assert again.base_digest("sha256:a") == "sha256:b"
    assert again.base_digest("sha256:c") == "sha256:c"
    moved = again.variant(LOCKED)
    assert moved.apt == (Deb("gcc-13-base", "13"), Deb("libgomp1", "13"))
    relocked = replace(LOCKED, apt=(Deb("libgomp1", "13"),))
    assert again.variant(relocked) is relocked


def test_a_base_that_has_not_moved_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "moved.json"
    Moves(path).record_base("sha256:a", "sha256:a")
    assert not path.exists()


def test_a_base_that_came_back_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "moved.json"
    moves = Moves(path)
    moves.record_base("sha256:a", "sha256:b")
    moves.record_base("sha256:a", "sha256:a")
    assert json.loads(path.read_text()) == {"apt": {}, "bases": {}}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"bases": {}}', '{"bases": 1, "apt": 2}', "\xff"])
def test_a_broken_file_is_as_if_nothing_had_moved(tmp_path: Path, text: str) -> None:
    path = tmp_path / "moved.json"
    path.write_text(text, "latin-1")
    assert Moves.read(path).bases == {}
