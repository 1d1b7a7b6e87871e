"""Writing new files: all of them or none, and never over one that is there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from twinforge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from twinforge.scaffold.files import NewFile

__all__ = ["check_new", "write_new"]

_SHOWN = 5


def check_new(root: Path, files: Sequence[NewFile]) -> None:
    """See whether there is room for files below a folder.

    Raises:
        UsageError: One is there, or lies outside the folder by a link.
    """
    taken = [file.path for file in files if os.path.lexists(root / file.path)]
    if taken:
        shown = ", ".join(taken[:_SHOWN]) + (", ..." if len(taken) > _SHOWN else "")
        message = f"nothing is overwritten, and here already: {shown}"
        raise UsageError(message, hint="give another name")
    for file in files:
        if not (root / file.path).resolve().is_relative_to(root.resolve()):
            message = f"'{file.path}' lies outside of the project: a folder above it is a link"
            raise UsageError(message)


def write_new(root: Path, files: Sequence[NewFile]) -> None:
    """Write files below a folder, which is made if it is not there.

    Raises:
        UsageError: There is no room for one, or it can't be written; nothing is written then.
    """
    check_new(root, files)
    made: list[Path] = []
    try:
        for file in files:
            _write(root / file.path, file, made)
    except BaseException as error:
        _remove(made)
        if isinstance(error, OSError):
            message = f"'{error.filename}' can't be written: {error.strerror}"
            raise UsageError(message) from error
        raise


def _write(path: Path, file: NewFile, made: list[Path]) -> None:
    missing = [folder for folder in path.parents if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir()
        made.append(folder)
    mode = 0o755 if file.is_executable else 0o644
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    made.append(path)
    with os.fdopen(handle, "wb") as stream:
        stream.write(file.content)
    path.chmod(mode)  # whatever the umask is: the mode of a program is part of its image


def _remove(made: Sequence[Path]) -> None:
    for path in reversed(made):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
