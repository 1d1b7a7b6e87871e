"""What a build takes from the project: the program's files, and frozen copies of all of it.

The copy has fixed modes and times, so that two checkouts give the same layer, and it can't change
while a build runs: what the content key was made of is what goes into the image.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from twinforge.render.dockerfile import EPOCH
from twinforge.render.key import ProgramFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["read_program", "stage_context", "stage_program"]

_IGNORED = {"__pycache__", ".DS_Store", ".git", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
_EXECUTABLE = 0o755
_PLAIN = 0o644


def read_program(folder: Path) -> tuple[ProgramFile, ...]:
    """Return every file below the folder, sorted, without what tools leave behind.

    A symbolic link is read as the file that it points to; the model has refused those that lead out
    of the project.
    """
    return tuple(
        ProgramFile(
            path.relative_to(folder).as_posix(),
            os.access(path, os.X_OK),
            hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in _files(folder)
    )


def stage_program(folder: Path, files: tuple[ProgramFile, ...], into: Path) -> Path:
    """Copy the program to ``into/program`` with fixed modes and times; return ``into``.

    A copy that is there already is complete, since it appears by one rename.
    """
    if into.exists():
        return into
    into.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{into.name}-", dir=into.parent))
    root = partial / "program"
    root.mkdir()
    for file in files:
        target = root / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / file.path, target)
        target.chmod(_EXECUTABLE if file.executable else _PLAIN)
    for path in (*sorted(partial.rglob("*"), reverse=True), partial):
        if path.is_dir():
            path.chmod(_EXECUTABLE)
        os.utime(path, (EPOCH, EPOCH))
    try:
        partial.rename(into)
    except OSError:  # another build was first; its copy is the same
        shutil.rmtree(partial)
    return into


def stage_context(files: Mapping[str, str], into: Path) -> Path:
    """Write a variant's generated files to a folder that holds nothing else; return it."""
    shutil.rmtree(into, ignore_errors=True)
    for name, text in files.items():
        path = into / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return into


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in _IGNORED or path.suffix == ".pyc":
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.is_file():
            yield path
