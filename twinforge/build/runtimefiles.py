"""The built-in runtime as a build takes it: our own source, whose modes a wheel may not have kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from twinforge.build.program import read_program, stage_folders

if TYPE_CHECKING:
    from twinforge.render.key import ProgramFile

__all__ = ["read_runtime", "stage_runtime"]

_SOURCE = Path(__file__).parents[1] / "runtime"
_PROGRAMS = "bin/"


def read_runtime() -> tuple[ProgramFile, ...]:
    """Return every file of the runtime; those in ``bin`` are executable."""
    return tuple(
        replace(file, executable=file.path.startswith(_PROGRAMS)) for file in read_program(_SOURCE)
    )


def stage_runtime(files: tuple[ProgramFile, ...], into: Path) -> Path:
    """Copy the runtime to ``into/runtime/runtime`` and its programs to ``into/runtime/bin``.

    Raises:
        BuildError: A file is not the one that ``files`` says, since it changed meanwhile.
    """
    folders = {
        "runtime/bin": tuple(file for file in files if file.path.startswith(_PROGRAMS)),
        "runtime/runtime": tuple(file for file in files if not file.path.startswith(_PROGRAMS)),
    }
    return stage_folders(_SOURCE, folders, into, drop=_PROGRAMS)
