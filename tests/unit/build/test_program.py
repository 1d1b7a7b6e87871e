from __future__ import annotations

import errno
import hashlib
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from twinforge.build.program import read_program, stage_context, stage_program
from twinforge.errors import BuildError
from twinforge.render.dockerfile import EPOCH

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, *, mtime: int = 1_700_000_000) -> Path:
    """Write a program as a checkout has it."""
    files = {"train": "#!/bin/sh\n", "serve": "#!/bin/sh\n", "lib/model.py": "x = 1\n"}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        path.chmod(0o755 if "." not in name else 0o644)
        os.utime(path, (mtime, mtime))
    return folder


def listing(archive: Path) -> list[tuple[str, int, int, bytes]]:
    """Return path, mode, time and content of all members of an archive, in their order."""
    found = []
    with tarfile.open(archive) as opened:
        for member in opened:
            file = opened.extractfile(member)
            content = file.read() if file else b""
            found.append((member.name, member.mode, int(member.mtime), content))
    return found


def test_a_file_has_its_path_its_flag_and_its_digest(tmp_path: Path) -> None:
    program = read_program(write(tmp_path))
    assert [(file.path, file.executable) for file in program] == [
        ("lib/model.py", False),
        ("serve", True),
        ("train", True),
    ]
    assert program[0].sha256 == hashlib.sha256(b"x = 1\n").hexdigest()


@pytest.mark.parametrize("mode", [0o744, 0o755, 0o775, 0o777, 0o654])
def test_the_rest_of_a_mode_is_the_checkouts_own(tmp_path: Path, mode: int) -> None:
    write(tmp_path)
    before = read_program(tmp_path)
    (tmp_path / "train").chmod(mode)
    assert read_program(tmp_path) == before


def test_losing_the_flag_is_another_program(tmp_path: Path) -> None:
    write(tmp_path)
    before = read_program(tmp_path)
    (tmp_path / "train").chmod(0o644)
    assert read_program(tmp_path) != before


@pytest.mark.parametrize(
    "name",
    [
        "__pycache__/model.cpython-311.pyc",
        "lib/__pycache__/x.pyc",
        "lib/old.pyc",
        ".DS_Store",
        ".git/HEAD",
        ".mypy_cache/x.json",
        ".pytest_cache/README.md",
        "lib/.ruff_cache/x",
    ],
)
def test_what_tools_leave_behind_is_no_part_of_a_program(tmp_path: Path, name: str) -> None:
    write(tmp_path)
    before = read_program(tmp_path)
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"left behind")
    assert read_program(tmp_path) == before


def test_hidden_files_of_the_program_are_part_of_it(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / ".config").write_text("x", "utf-8")
    assert ".config" in [file.path for file in read_program(tmp_path)]


def test_a_link_is_what_it_points_to(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "serve").unlink()
    (tmp_path / "serve").symlink_to("train")
    (tmp_path / "more").symlink_to("lib")
    (tmp_path / "dangling").symlink_to("nowhere")
    assert [(file.path, file.executable) for file in read_program(tmp_path)] == [
        ("lib/model.py", False),
        ("more/model.py", False),
        ("serve", True),
        ("train", True),
    ]


def test_a_link_to_a_folder_around_it_does_not_go_round_in_circles(tmp_path: Path) -> None:
    before = read_program(write(tmp_path))
    (tmp_path / "lib" / "up").symlink_to("..")
    (tmp_path / "here").symlink_to(".")
    assert read_program(tmp_path) == before


def test_a_link_to_the_project_around_the_program_does_not_bring_the_project(
    tmp_path: Path,
) -> None:
    (tmp_path / "matrix.yaml").touch()
    program = tmp_path / "images" / "program"
    before = read_program(write(program))
    (program / "project").symlink_to("../..")
    assert read_program(program) == before


def test_two_checkouts_with_other_times_and_modes_are_staged_to_the_same_bytes(
    tmp_path: Path,
) -> None:
    one = write(tmp_path / "one", mtime=1_600_000_000)
    two = write(tmp_path / "two", mtime=1_700_000_000)
    (two / "train").chmod(0o700)
    (two / "lib").chmod(0o700)
    staged = [
        stage_program(folder, read_program(folder), tmp_path / "staged" / folder.name)
        for folder in (one, two)
    ]
    assert staged[0].read_bytes() == staged[1].read_bytes()


def test_a_staged_program_has_fixed_modes_and_its_folders_a_fixed_time(tmp_path: Path) -> None:
    folder = write(tmp_path / "program")
    staged = stage_program(folder, read_program(folder), tmp_path / "staged" / "digits")
    found = listing(staged)
    assert [(path, mode, content) for path, mode, _, content in found] == [
        ("program", 0o755, b""),
        ("program/lib", 0o755, b""),
        ("program/lib/model.py", 0o644, b"x = 1\n"),
        ("program/serve", 0o755, b"#!/bin/sh\n"),
        ("program/train", 0o755, b"#!/bin/sh\n"),
    ]
    assert {time for _, _, time, _ in found} == {EPOCH}


def test_a_change_that_keeps_a_file_s_size_changes_its_time_by_which_the_engine_sees_it(
    tmp_path: Path,
) -> None:
    def staged_time(text: str) -> int:
        folder = write(tmp_path / text)
        (folder / "lib/model.py").write_text(text, "utf-8")
        staged = stage_program(folder, read_program(folder), tmp_path / "staged" / text)
        return staged.stat().st_mtime_ns

    assert len({staged_time(text) for text in ("x = 1", "x = 2", "x = 3")}) == 3


def test_what_is_staged_already_is_not_copied_again(tmp_path: Path) -> None:
    folder = write(tmp_path / "program")
    files = read_program(folder)
    staged = stage_program(folder, files, tmp_path / "staged")
    (folder / "train").write_text("changed later", "utf-8")
    assert stage_program(folder, files, tmp_path / "staged") == staged
    assert b"changed later" not in staged.read_bytes()


def test_a_build_that_was_second_takes_the_copy_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "program")
    files = read_program(folder)
    into = stage_program(folder, files, tmp_path / "staged" / "digits").parent
    asked: list[Path] = []

    def exists(path: Path) -> bool:
        asked.append(path)
        return asked != [into]  # it appears between the look and the renaming

    monkeypatch.setattr(type(into), "exists", exists)
    assert stage_program(folder, files, into) == into / "program.tar"
    assert [path.name for path in into.parent.iterdir()] == ["digits"]


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_file_that_changed_since_the_key_was_made_is_an_error_and_leaves_no_copy(
    tmp_path: Path, *, is_gone: bool
) -> None:
    folder = write(tmp_path / "program")
    files = read_program(folder)
    (folder / "train").write_text("changed", "utf-8")
    if is_gone:
        (folder / "train").unlink()
    with pytest.raises(BuildError, match="'train' changed while the build began"):
        stage_program(folder, files, tmp_path / "staged" / "digits")
    assert list((tmp_path / "staged").iterdir()) == []


def test_an_empty_program_is_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "program").mkdir()
    staged = stage_program(tmp_path / "program", (), tmp_path / "staged")
    assert listing(staged) == [("program", 0o755, EPOCH, b"")]


def test_a_context_has_the_program_whose_file_it_shares(tmp_path: Path) -> None:
    folder = write(tmp_path / "program")
    staged = stage_program(folder, read_program(folder), tmp_path / "staged")
    made = stage_context({"Dockerfile": "FROM x\n"}, tmp_path / "cpu", program=staged)
    assert sorted(path.name for path in made.iterdir()) == ["Dockerfile", "program.tar"]
    assert (made / "program.tar").samefile(staged)


def test_a_context_on_another_file_system_has_a_copy_with_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*paths: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link", str(paths[0]))

    monkeypatch.setattr(os, "link", link)
    folder = write(tmp_path / "program")
    staged = stage_program(folder, read_program(folder), tmp_path / "staged")
    made = stage_context({"Dockerfile": "FROM x\n"}, tmp_path / "cpu", program=staged)
    copy = made / "program.tar"
    assert copy.read_bytes() == staged.read_bytes()
    assert copy.stat().st_mtime_ns == staged.stat().st_mtime_ns


def test_a_context_holds_the_generated_files_and_nothing_else(tmp_path: Path) -> None:
    files = {"Dockerfile": "FROM x\n", "layers/common/small.txt": "numpy\n"}
    into = tmp_path / "key" / "cpu"
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: stage_context(files, into), range(8)))
    assert set(made) == {into}
    assert {
        path.relative_to(tmp_path).as_posix(): path.read_text("utf-8")
        for path in tmp_path.rglob("*")
        if path.is_file()
    } == {f"key/cpu/{name}": text for name, text in files.items()}
