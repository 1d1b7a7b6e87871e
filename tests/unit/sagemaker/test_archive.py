from __future__ import annotations

import gzip
import io
import secrets
import tarfile
from typing import TYPE_CHECKING

import pytest

from twinforge.errors import TwinforgeError, UsageError
from twinforge.sagemaker import archive as module
from twinforge.sagemaker.archive import extract_model

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 1_000_000


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = kind
    made.linkname = link
    return made


def pack(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def left_over(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "model.tar.gz")


def test_files_come_out_with_their_content_and_without_strange_modes(tmp_path: Path) -> None:
    program = member("./bin/run")
    program.mode = 0o6777
    packed = pack(
        tmp_path / "model.tar.gz",
        (member(".", tarfile.DIRTYPE), b""),
        (member("./bin", tarfile.DIRTYPE), b""),
        (program, b"#!/bin/sh\n"),
        (member("model.json"), b"{}"),
    )
    told: list[str] = []
    names = extract_model(packed, tmp_path / "out", max_bytes=LIMIT, listener=told.append)
    assert names == ("bin/run", "model.json")
    assert told == ["bin/run", "model.json"]
    assert (tmp_path / "out/model.json").read_bytes() == b"{}"
    assert (tmp_path / "out/bin/run").stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "out/model.json").stat().st_mode & 0o7777 == 0o644


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (member("../evil"), "'../evil', which lies outside its folder"),
        (member("a/../../evil"), "'a/../../evil', which lies outside"),
        (member("/etc/evil"), "'/etc/evil', which lies outside"),
        (member("link", tarfile.SYMTYPE, "/etc/passwd"), "'link', which is a link or no ordinary"),
        (member("link", tarfile.LNKTYPE, "first"), "'link', which is a link or no ordinary"),
        (member("pipe", tarfile.FIFOTYPE), "'pipe', which is a link or no ordinary"),
        (member("disk", tarfile.BLKTYPE), "'disk', which is a link or no ordinary"),
        (member("first"), "holds 'first' twice"),
        (member("first/below"), "'first/below' of the model can't be written"),
        (member("."), r"holds '\.' twice"),
    ],
)
def test_what_could_leave_the_folder_is_refused_and_nothing_stays(
    tmp_path: Path, bad: tarfile.TarInfo, told: str
) -> None:
    packed = pack(tmp_path / "model.tar.gz", (member("first"), b"1"), (bad, b""))
    with pytest.raises(TwinforgeError, match=told):
        extract_model(packed, tmp_path / "out", max_bytes=LIMIT)
    assert left_over(tmp_path) == []


def test_a_model_of_exactly_the_limit_is_taken_and_one_byte_more_is_not(tmp_path: Path) -> None:
    packed = pack(tmp_path / "model.tar.gz", (member("a"), bytes(600)), (member("b"), bytes(400)))
    with pytest.raises(TwinforgeError, match="the model is bigger than 999 bytes"):
        extract_model(packed, tmp_path / "out", max_bytes=999)
    assert left_over(tmp_path) == []
    assert extract_model(packed, tmp_path / "out", max_bytes=1000) == ("a", "b")


def test_a_bomb_of_headers_ends_at_the_limit_and_not_at_the_end_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_OVERHEAD_BYTES", 1 << 20)
    folders = [(member(f"d{n}", tarfile.DIRTYPE), b"") for n in range(3000)]
    packed = pack(tmp_path / "model.tar.gz", *folders)
    with pytest.raises(TwinforgeError, match="unpacks to more than is allowed"):
        extract_model(packed, tmp_path / "out", max_bytes=1000)


def test_a_header_that_claims_gigabytes_is_not_read(tmp_path: Path) -> None:
    header = member("././@PaxHeader", tarfile.XHDTYPE)
    header.size = (8 << 30) - 1
    packed = tmp_path / "model.tar.gz"
    with gzip.open(packed, "wb") as file:
        file.write(header.tobuf(tarfile.USTAR_FORMAT))
    with pytest.raises(TwinforgeError, match="a header of an absurd size"):
        extract_model(packed, tmp_path / "out", max_bytes=LIMIT)
    assert left_over(tmp_path) == []


@pytest.mark.parametrize("content", [b"", b"not gzip at all", gzip.compress(b"x" * 600)])
def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    packed = tmp_path / "model.tar.gz"
    packed.write_bytes(content)
    with pytest.raises(TwinforgeError, match=r"the model is no intact tar\.gz"):
        extract_model(packed, tmp_path / "out", max_bytes=LIMIT)
    assert left_over(tmp_path) == []


def test_an_archive_that_was_cut_off_leaves_nothing(tmp_path: Path) -> None:
    packed = pack(tmp_path / "model.tar.gz", (member("a"), bytes(range(256)) * 64))
    packed.write_bytes(packed.read_bytes()[:-60])
    with pytest.raises(TwinforgeError, match=r"the model is no intact tar\.gz"):
        extract_model(packed, tmp_path / "out", max_bytes=LIMIT)
    assert left_over(tmp_path) == []


@pytest.mark.parametrize("place", [20_000, -6])
def test_an_archive_that_was_torn_leaves_nothing(tmp_path: Path, place: int) -> None:
    archive = pack(tmp_path / "model.tar.gz", (member("model"), secrets.token_hex(40_000).encode()))
    content = bytearray(archive.read_bytes())
    content[place] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(TwinforgeError, match=r"the model is no intact tar\.gz"):
        extract_model(archive, tmp_path / "model", max_bytes=LIMIT)
    assert left_over(tmp_path) == []


def test_a_folder_where_a_file_is_leaves_nothing(tmp_path: Path) -> None:
    archive = pack(
        tmp_path / "model.tar.gz", (member("a"), b"1"), (member("a", tarfile.DIRTYPE), b"")
    )
    with pytest.raises(TwinforgeError, match="the folder 'a' of the model can't be made"):
        extract_model(archive, tmp_path / "model", max_bytes=LIMIT)
    assert left_over(tmp_path) == []


def test_a_folder_with_something_in_it_is_not_touched(tmp_path: Path) -> None:
    packed = pack(tmp_path / "model.tar.gz", (member("a"), b"1"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(UsageError, match="is there and not an empty folder"):
        extract_model(packed, tmp_path / "out", max_bytes=LIMIT)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]
    (tmp_path / "out" / "mine").unlink()
    assert extract_model(packed, tmp_path / "out", max_bytes=LIMIT) == ("a",)
