from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twinforge.registry.scratch import scratch_folder

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_is_there_while_it_is_used(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as folder:
        (folder / "layer-1.gz").write_bytes(b"x")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RuntimeError), scratch_folder(tmp_path):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_has_left_is_removed_and_what_others_use_is_not(tmp_path: Path) -> None:
    left = tmp_path / "push-killed"
    left.mkdir()
    (left / "layer-1.gz").write_bytes(b"x")
    (tmp_path / "else").mkdir()
    with scratch_folder(tmp_path) as first:
        assert not left.exists()
        (first / "layer-1.gz").write_bytes(b"x")
        with scratch_folder(tmp_path) as second:
            assert second != first
            assert (first / "layer-1.gz").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["else"]
