from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from twinforge.errors import UsageError
from twinforge.scaffold import write as module
from twinforge.scaffold.files import NewFile
from twinforge.scaffold.write import write_new

if TYPE_CHECKING:
    from pathlib import Path

FILES = (
    NewFile("recipes/irises.yaml", b"recipe: irises\n"),
    NewFile("images/irises/program/train", b"#!/bin/sh\n", is_executable=True),
    NewFile("images/irises/program/rows.py", b""),
)


def everything(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


def test_files_have_the_modes_of_an_image_whatever_the_umask_is(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_new(tmp_path / "new", FILES)
    finally:
        os.umask(before)
    modes = {file.path: (tmp_path / "new" / file.path).stat().st_mode & 0o777 for file in FILES}
    assert list(modes.values()) == [0o644, 0o755, 0o644]
    assert (tmp_path / "new/recipes/irises.yaml").read_bytes() == b"recipe: irises\n"


def test_a_file_that_is_there_stays_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "images/irises/program").mkdir(parents=True)
    (tmp_path / "images/irises/program/rows.py").write_text("mine")
    before = everything(tmp_path)
    with pytest.raises(UsageError, match=r"here already: images/irises/program/rows\.py"):
        write_new(tmp_path, FILES)
    assert everything(tmp_path) == before
    assert (tmp_path / "images/irises/program/rows.py").read_text() == "mine"


def test_a_link_to_nothing_is_there_too(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/irises.yaml").symlink_to(tmp_path / "absent")
    with pytest.raises(UsageError, match=r"here already: recipes/irises\.yaml"):
        write_new(tmp_path, FILES)
    assert not (tmp_path / "absent").exists()


def test_a_folder_that_leads_out_of_the_project_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "project").mkdir()
    (tmp_path / "project/images").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="lies outside of the project"):
        write_new(tmp_path / "project", FILES)
    assert everything(tmp_path / "elsewhere") == []
    assert everything(tmp_path / "project") == ["images"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_was_written_before_a_failure_goes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    real = module._write
    (tmp_path / "recipes").mkdir()

    def write(path: Path, file: NewFile, made: list[Path]) -> None:
        if file.path.endswith("rows.py"):
            raise error
        real(path, file, made)

    monkeypatch.setattr(module, "_write", write)
    with pytest.raises((UsageError, KeyboardInterrupt)):
        write_new(tmp_path, FILES)
    assert everything(tmp_path) == ["recipes"]


def test_a_file_where_a_folder_is_needed_is_an_error_and_nothing_stays(tmp_path: Path) -> None:
    (tmp_path / "images").write_text("a file")
    with pytest.raises(UsageError, match="can't be written"):
        write_new(tmp_path, FILES)
    assert everything(tmp_path) == ["images"]
