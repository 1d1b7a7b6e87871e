from __future__ import annotations

import io
import tarfile
from typing import IO, TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinforge.errors import TwinforgeError, UsageError
from twinforge.sagemaker.local.files import (
    Piece,
    files_below,
    pack,
    reading,
    tar_chunks,
    unpack_files,
)
from twinforge.sagemaker.place import Place
from twinforge.sagemaker.upload import plan_upload

if TYPE_CHECKING:
    from pathlib import Path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = kind
    made.linkname = link
    return made


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


def in_pieces(data: bytes, size: int = 700) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


MODEL = archive(
    (member("model", tarfile.DIRTYPE), b""),
    (member("model/weights"), b"w" * 3000),
    (member("model/deep", tarfile.DIRTYPE), b""),
    (member("model/deep/config.json"), b"{}"),
)


def test_files_go_in_with_their_content_and_belong_to_root(tmp_path: Path) -> None:
    script = tmp_path / "run"
    script.write_bytes(b"#!/bin/sh\n")
    script.chmod(0o700)
    long = "x" * 150
    pieces = [Piece("ml", None), Piece(f"ml/{long}", b"y" * 513), Piece("ml/run", script)]
    with tarfile.open(fileobj=io.BytesIO(b"".join(tar_chunks(pieces)))) as tar:
        folder, named, run = tar.getmembers()
        assert folder.isdir()
        assert named.name == f"ml/{long}"
        content = tar.extractfile(named)
        assert content is not None
        assert content.read() == b"y" * 513
        assert (run.mode, run.uid, run.gid, run.size) == (0o755, 0, 0, 10)


@given(st.lists(st.binary(max_size=1500), max_size=5))
def test_what_went_in_comes_out(contents: list[bytes]) -> None:
    pieces = [Piece(f"model/{number}", content) for number, content in enumerate(contents)]
    found: dict[str, bytes] = {}

    def put(name: str, content: IO[bytes]) -> None:
        found[name] = content.read()

    with reading(iter(in_pieces(b"".join(tar_chunks(pieces))))) as tar:
        unpack_files(tar, lambda *_: True, put)
    assert found == {str(number): content for number, content in enumerate(contents)}


def test_a_model_is_packed_without_the_folder_around_it(tmp_path: Path) -> None:
    packed = pack(iter(in_pieces(MODEL)), tmp_path / "new" / "model.tar.gz")
    assert (packed.files, packed.size_bytes, packed.strange) == (2, 3002, "")
    with tarfile.open(packed.path, "r:gz") as tar:
        assert tar.getnames() == ["weights", "deep", "deep/config.json"]
    assert [path.name for path in packed.path.parent.iterdir()] == ["model.tar.gz"]


def test_a_link_stays_one_and_is_named(tmp_path: Path) -> None:
    data = archive(
        (member("model", tarfile.DIRTYPE), b""),
        (member("model/a"), b"1"),
        (member("model/hard", tarfile.LNKTYPE, "model/a"), b""),
        (member("model/latest", tarfile.SYMTYPE, "a"), b""),
    )
    packed = pack(iter([data]), tmp_path / "model.tar.gz")
    assert packed.strange == "hard"
    with tarfile.open(packed.path, "r:gz") as tar:
        assert tar.getmember("hard").linkname == "a"
        assert tar.getmember("latest").linkname == "a"


def test_an_archive_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TwinforgeError, match="what came from the container is damaged"):
        pack(iter([MODEL[:2000]]), tmp_path / "model.tar.gz")
    assert list(tmp_path.iterdir()) == []


def test_only_ordinary_files_of_the_folder_are_handed_on() -> None:
    data = archive(
        (member("checkpoints/good"), b"1"),
        (member("checkpoints/../evil"), b"2"),
        (member("checkpoints/link", tarfile.SYMTYPE, "/etc/passwd"), b""),
        (member("checkpoints/pipe", tarfile.FIFOTYPE), b""),
        (member("elsewhere"), b"3"),
    )
    taken: list[str] = []
    with reading(iter([data])) as tar:
        names = unpack_files(tar, lambda *_: True, lambda name, _: taken.append(name))
    assert names == {"good"}
    assert taken == ["good"]


def test_a_link_in_a_folder_is_followed_or_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").symlink_to("a")
    assert [name for name, _ in files_below(tmp_path, links=True)] == ["a", "b"]
    with pytest.raises(UsageError, match="holds 'b', which is a link"):
        list(files_below(tmp_path, links=False))


def test_a_linked_folder_is_a_folder_and_one_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere/deep").mkdir(parents=True)
    (tmp_path / "elsewhere/deep/b").write_text("2")
    (tmp_path / "data/own").mkdir(parents=True)
    (tmp_path / "data/own/a").write_text("1")
    (tmp_path / "data/linked").symlink_to(tmp_path / "elsewhere")
    names = [name for name, _ in files_below(tmp_path / "data", links=True)]
    assert names == ["linked/deep/b", "own/a"]
    assert list(plan_upload("training", tmp_path / "data", Place("b", "")).files) == names
    with pytest.raises(UsageError, match="holds 'linked', which is a link"):
        list(files_below(tmp_path / "data", links=False))
    (tmp_path / "elsewhere/back").symlink_to(tmp_path)
    with pytest.raises(UsageError, match=r"back/data' is a link to a folder that it lies in"):
        list(files_below(tmp_path / "data", links=True))


def test_a_file_stands_for_itself_and_nothing_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1")
    assert [name for name, _ in files_below(tmp_path / "a.csv", links=True)] == ["a.csv"]
    with pytest.raises(UsageError, match="there is no file or folder"):
        list(files_below(tmp_path / "absent", links=True))
