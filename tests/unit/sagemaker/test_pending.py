from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twinforge.errors import AwsError, AwsRefusedError
from twinforge.sagemaker.patience import Patience
from twinforge.sagemaker.pending import Pending, collect
from twinforge.sagemaker.place import Place

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OUTPUT, FAILURE = Place("answers", "1.out"), Place("answers", "failures/1.out")


class Slow:
    """A storage that has an object from the third look on."""

    def __init__(self, place: Place, content: str) -> None:
        self.place = place
        self.content = content
        self.looks = 0

    def sizes(self, prefix: Place) -> dict[str, int]:
        self.looks += prefix == self.place
        longer = {f"{prefix.key}.tmp": 1}  # a prefix also finds what only begins like it
        is_there = prefix == self.place and self.looks > 2
        return {**longer, prefix.key: len(self.content)} if is_there else longer

    def upload(self, path: Path, place: Place, moved: Callable[[int], None]) -> None:
        raise NotImplementedError

    def download(self, place: Place, path: Path, moved: Callable[[int], None]) -> None:
        assert place == self.place
        path.write_text(self.content)
        moved(len(self.content))


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def patience(self, limit_s: float) -> Patience:
        return Patience(1.0, limit_s, self.sleep, lambda: self.now)


def test_an_answer_is_waited_for_and_read(tmp_path: Path) -> None:
    storage, clock = Slow(OUTPUT, "7"), Clock()
    collect(storage, Pending("r", OUTPUT, FAILURE), clock.patience(60), tmp_path / "answer")
    assert (tmp_path / "answer").read_text() == "7"
    assert clock.now == 2.0


def test_a_failure_ends_the_wait_with_its_text(tmp_path: Path) -> None:
    storage = Slow(FAILURE, "no such column")
    with pytest.raises(AwsRefusedError, match="'r': no such column") as caught:
        collect(storage, Pending("r", OUTPUT, FAILURE), Clock().patience(60), tmp_path / "answer")
    assert "s3://answers/failures/1.out" in caught.value.hint
    assert not (tmp_path / "answer").exists()


def test_the_wait_has_an_end_that_says_where_the_answer_will_be(tmp_path: Path) -> None:
    storage, pending, patience = Slow(OUTPUT, "7"), Pending("r", OUTPUT, None), Clock().patience(1)
    with pytest.raises(AwsError, match="no answer within 1 s") as caught:
        collect(storage, pending, patience, tmp_path / "answer")
    assert "s3://answers/1.out" in caught.value.hint
