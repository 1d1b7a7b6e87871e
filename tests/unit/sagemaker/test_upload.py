from __future__ import annotations

import itertools
import os
import threading
from typing import TYPE_CHECKING

import pytest

from twinforge.errors import AwsError, UsageError
from twinforge.events import Event, State
from twinforge.sagemaker.place import Place
from twinforge.sagemaker.upload import Upload, plan_upload, upload

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BELOW = Place.parse("s3://models/input")


class Bucket:
    """Takes files; the one that is named ``broken`` fails."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.broken = ""
        self.numbers = itertools.count()
        self.both = threading.Barrier(2, timeout=10)

    def sizes(self, prefix: Place) -> dict[str, int]:
        return {k: len(v) for k, v in self.objects.items() if k.startswith(prefix.key)}

    def upload(self, path: Path, place: Place, moved: Callable[[int], None]) -> None:
        if self.broken and place.key.endswith(self.broken):
            message = "s3 is broken"
            raise AwsError(message)
        if next(self.numbers) < 2:
            self.both.wait()
        self.objects[place.key] = path.read_bytes()
        moved(path.stat().st_size)

    def download(self, place: Place, path: Path, moved: Callable[[int], None]) -> None:
        raise NotImplementedError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "a b \u00fc.csv").write_text("1,2\n")
    (folder / "sub/x").write_text("x")
    (folder / ".hidden").write_text("h")
    return folder


def test_links_are_followed_to_files_and_to_folders(data: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "deep").mkdir(parents=True)
    (elsewhere / "deep/y").write_text("yy")
    (data / "folder").symlink_to(elsewhere)
    (data / "file").symlink_to(data / "sub/x")
    (data / "empty").mkdir()
    plan = plan_upload("training", data, BELOW)
    assert plan.sizes == {
        ".hidden": 1, "a b \u00fc.csv": 4, "file": 1, "folder/deep/y": 2, "sub/x": 1
    }  # fmt: skip
    assert plan.total_bytes == 9


def test_a_link_to_nowhere_is_not_left_out_without_a_word(data: Path) -> None:
    (data / "sub/gone").symlink_to("nowhere")
    with pytest.raises(UsageError, match="gone' is neither a file nor a folder"):
        plan_upload("training", data, BELOW)


def test_what_is_no_file_is_told(data: Path) -> None:
    os.mkfifo(data / "pipe")
    with pytest.raises(UsageError, match="pipe' is neither a file nor a folder"):
        plan_upload("training", data, BELOW)


def test_a_link_to_a_folder_around_it_is_not_followed_for_ever(data: Path) -> None:
    (data / "sub/loop").symlink_to("..")
    with pytest.raises(UsageError, match="loop' is a link to a folder that it lies in"):
        plan_upload("training", data, BELOW)


def test_a_folder_that_is_linked_twice_is_no_loop(data: Path) -> None:
    (data / "one").symlink_to("sub")
    (data / "two").symlink_to("sub")
    assert {"one/x", "two/x", "sub/x"} <= set(plan_upload("training", data, BELOW).files)


@pytest.mark.parametrize("kind", ["nothing", "empty"])
def test_a_channel_without_files_is_told(tmp_path: Path, kind: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="the channel 'training' has no files"):
        plan_upload("training", tmp_path / kind, BELOW)


def test_what_can_t_be_read_is_told(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(UsageError, match="can't be read: Permission denied"):
        plan_upload("training", data, BELOW)


def send(bucket: Bucket, plan: Upload) -> list[Event]:
    events: list[Event] = []
    upload(bucket, plan, listener=events.append)
    return events


def test_several_files_are_sent_at_once_and_their_bytes_are_told(data: Path) -> None:
    bucket = Bucket()  # whose barrier opens when two are on their way
    plan = plan_upload("training", data, BELOW)
    events = send(bucket, plan)
    assert {key.removeprefix(plan.place.key) for key in bucket.objects} == set(plan.files)
    done = [event.done for event in events if event.state is State.PROGRESS]
    assert max(done) == plan.total_bytes == events[-1].total
    assert [event.state for event in send(bucket, plan)] == [State.SKIPPED]


def test_a_file_that_can_t_be_sent_ends_it(data: Path) -> None:
    bucket = Bucket()
    plan = plan_upload("training", data, BELOW)
    bucket.broken = "sub/x"
    with pytest.raises(AwsError, match="s3 is broken"):
        send(bucket, plan)
    bucket.broken = ""
    (start, *_) = send(bucket, plan)
    assert start.total < plan.total_bytes
