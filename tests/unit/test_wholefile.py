from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from twinforge.wholefile import write_json

if TYPE_CHECKING:
    from pathlib import Path


def test_keys_keep_their_order_and_the_file_ends_with_a_line_end(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "report.json"
    write_json(path, {"b": 1, "a": "ü"})
    assert path.read_text("utf-8") == '{\n  "b": 1,\n  "a": "ü"\n}\n'


def test_a_value_that_is_no_json_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_json(path, [1])
    for value in (float("nan"), object()):
        with pytest.raises((ValueError, TypeError)):
            write_json(path, value)
    assert json.loads(path.read_text()) == [1]
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.json"
    write_json(path, [1])

    def full(_: int) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_json(path, [2])
    assert json.loads(path.read_text()) == [1]
    assert list(tmp_path.iterdir()) == [path]


def test_permissions_and_links_stay(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    write_json(real, [1])
    real.chmod(0o600)
    link.symlink_to(real)
    write_json(link, [2])
    assert link.is_symlink()
    assert json.loads(real.read_text()) == [2]
    assert real.stat().st_mode & 0o777 == 0o600
