from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from twinforge.build.ledger import Built, Ledger, Smoked

if TYPE_CHECKING:
    from pathlib import Path

BUILT = Built("a" * 64, {"base": "1"}, "sha256:image", 12.5)
SMOKED = Smoked(False, "checks", 0.5, 3.0, ("ping", "train"))  # noqa: FBT003 - what was found


def test_what_was_recorded_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "state" / "ledger.json"
    ledger = Ledger(path)
    ledger.record_build("digits/cpu", BUILT)
    ledger.record_smoke("sha256:image", SMOKED)
    read = Ledger.read(path)
    assert read.built == {"digits/cpu": BUILT}
    assert read.smoked == {"sha256:image": SMOKED}
    assert [file.name for file in path.parent.iterdir()] == ["ledger.json"]


def test_a_later_record_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    Ledger(path).record_build("digits/cpu", BUILT)
    later = Built("b" * 64, {}, "sha256:other", 1.0)
    Ledger.read(path).record_build("digits/cpu", later)
    assert Ledger.read(path).built == {"digits/cpu": later}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        '{"ledger": 1}',
        '{"ledger": 2, "built": {}, "smoked": {}}',
        '{"ledger": 1, "built": [], "smoked": {}}',
        '{"ledger": 1, "built": {"a": 1}, "smoked": {}}',
        '{"ledger": 1, "built": {"a": {"key": "only"}}, "smoked": {}}',
        '{"ledger": 1, "built": {}, "smoked": {"a": null}}',
        '{"ledger": 1, "built": {}, "smoked": {"a": {"failed": null}}}',
    ],
)
def test_a_file_that_is_no_ledger_is_an_empty_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ledger.json"
    path.write_text(text, "utf-8")
    read = Ledger.read(path)
    assert (read.built, read.smoked) == ({}, {})


def test_a_ledger_that_is_half_broken_is_not_half_believed(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    Ledger(path).record_build("digits/cpu", BUILT)
    document = json.loads(path.read_text("utf-8"))
    document["smoked"] = {"sha256:image": {"passed": True}}
    path.write_text(json.dumps(document), "utf-8")
    assert Ledger.read(path).built == {}


def test_a_missing_or_binary_file_is_an_empty_ledger(tmp_path: Path) -> None:
    assert Ledger.read(tmp_path / "nothing").built == {}
    (tmp_path / "ledger.json").write_bytes(b"\xff\xfe")
    assert Ledger.read(tmp_path / "ledger.json").built == {}


def test_threads_that_record_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    ledger = Ledger(path)
    start = threading.Barrier(4)

    def record(worker: int) -> None:
        start.wait()
        for n in range(20):
            ledger.record_build(f"digits/{worker}-{n}", BUILT)
            ledger.record_smoke(f"sha256:{worker}-{n}", SMOKED)

    threads = [threading.Thread(target=record, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    read = Ledger.read(path)
    assert (len(read.built), len(read.smoked)) == (80, 80)
