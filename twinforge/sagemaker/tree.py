"""The files of a folder on this machine that a channel gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinforge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["files_followed", "unreadable"]

_HINT = "remove it, or give another folder"


def files_followed(folder: Path) -> Iterator[tuple[str, Path]]:
    """Give the name and path of every file below a folder, sorted, also of linked folders.

    Raises:
        UsageError: Something is no file or folder, such as a link to nowhere: what is left out
            without a word is missed in training. Or a link leads back to a folder that holds it.
    """
    for path in sorted(_walk(folder, frozenset())):
        yield path.relative_to(folder).as_posix(), path


def unreadable(path: Path, error: OSError) -> UsageError:
    """Return what to raise where a file or folder can't be read."""
    return UsageError(f"'{path}' can't be read: {error.strerror}")


def _walk(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    """Yield all files; ``above`` are the real folders around this one."""
    real = folder.resolve()
    if real in above:
        message = f"'{folder}' is a link to a folder that it lies in"
        raise UsageError(message, hint=_HINT)
    try:
        entries = sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise unreadable(folder, error) from error
    for path in entries:
        if path.is_dir():
            yield from _walk(path, above | {real})
        elif path.is_file():
            yield path
        else:
            message = f"'{path}' is neither a file nor a folder, nor a link to one"
            raise UsageError(message, hint=_HINT)
