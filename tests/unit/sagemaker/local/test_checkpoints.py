from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.desk import Box, FakeStorage, Table, make_table
from twinforge.errors import UsageError
from twinforge.events import ignore
from twinforge.sagemaker.local.checkpoints import Checkpoints, open_store
from twinforge.sagemaker.local.desk import Spec, labels_of

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "/opt/ml/checkpoints"


@pytest.fixture
def table() -> Table:
    return make_table(lambda *_: None)


@pytest.fixture
def box(table: Table) -> Box:
    spec = Spec(name="job", image="i", command=("train",), labels=labels_of("training", "job"))
    return table.desk.boxes[table.desk.create(spec)]


def checkpoints(where: str, storage: FakeStorage, tmp_path: Path) -> Checkpoints:
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    return Checkpoints(open_store(where, storage, listener=ignore, scratch=scratch))


def test_what_a_job_writes_changes_and_deletes_follows(
    table: Table, box: Box, tmp_path: Path
) -> None:
    folder = tmp_path / "kept"
    found = checkpoints(str(folder), table.storage, tmp_path)
    assert list(found.pieces()) == []
    box.files |= {f"{FOLDER}/1.pt": b"one", f"{FOLDER}/deep/2.pt": b"two"}
    assert found.sync(table.desk, box.id) == 2
    assert (folder / "1.pt").read_bytes() == b"one"
    assert (folder / "deep/2.pt").read_bytes() == b"two"
    assert found.sync(table.desk, box.id) == 0
    box.files[f"{FOLDER}/1.pt"] = b"three"
    del box.files[f"{FOLDER}/deep/2.pt"]
    assert found.sync(table.desk, box.id) == 2
    assert (folder / "1.pt").read_bytes() == b"three"
    assert not (folder / "deep/2.pt").exists()
    assert sorted(p.name for p in folder.rglob("*") if p.is_file()) == ["1.pt"]


def test_what_others_add_meanwhile_is_left_alone(table: Table, box: Box, tmp_path: Path) -> None:
    found = checkpoints(str(tmp_path / "kept"), table.storage, tmp_path)
    list(found.pieces())
    (tmp_path / "kept/theirs").write_text("x")
    box.files[f"{FOLDER}/ours"] = b"y"
    found.sync(table.desk, box.id)
    assert (tmp_path / "kept/theirs").read_text() == "x"


def test_a_job_begins_with_what_is_there_and_may_delete_it(
    table: Table, box: Box, tmp_path: Path
) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/1.pt").write_text("one")
    found = checkpoints(str(tmp_path / "kept"), table.storage, tmp_path)
    (piece,) = found.pieces()
    assert piece.name == "ml/checkpoints/1.pt"
    found.sync(table.desk, box.id)  # the job's folder is empty
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_link_in_the_folder_is_replaced_and_not_written_through(
    table: Table, box: Box, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    found = checkpoints(str(tmp_path / "kept"), table.storage, tmp_path)
    list(found.pieces())
    (tmp_path / "kept/1.pt").symlink_to(precious)
    (tmp_path / "kept/away").symlink_to(tmp_path)
    box.files[f"{FOLDER}/1.pt"] = b"one"
    found.sync(table.desk, box.id)
    assert precious.read_text() == "mine"
    box.files[f"{FOLDER}/away/precious"] = b"theirs"
    with pytest.raises(UsageError, match="'away/precious' would be written outside"):
        found.sync(table.desk, box.id)
    assert precious.read_text() == "mine"


def test_s3_is_kept_in_step_too(table: Table, box: Box, tmp_path: Path) -> None:
    table.storage.objects["bucket/run/old.pt"] = b"old"
    table.storage.objects["bucket/runner/other"] = b"of another prefix"
    found = checkpoints("s3://bucket/run", table.storage, tmp_path)
    (piece,) = found.pieces()
    assert piece.name == "ml/checkpoints/old.pt"
    box.files[f"{FOLDER}/new.pt"] = b"new"
    assert found.sync(table.desk, box.id) == 2
    assert table.storage.objects == {
        "bucket/run/new.pt": b"new",
        "bucket/runner/other": b"of another prefix",
    }


def test_a_file_is_no_place_for_checkpoints(table: Table, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="is no folder for checkpoints"):
        checkpoints(str(tmp_path / "file"), table.storage, tmp_path)
