"""A folder for one run's files, and the end of those that killed runs have left."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["scratch_folder"]

_PREFIX = "push-"


@contextmanager
def scratch_folder(below: Path) -> Iterator[Path]:
    """Give a new folder while the body runs, and remove it afterwards.

    A run that was killed could not remove its own, with gigabytes of layers in it. It has let go of
    the lock on it, by which the folders of those that still run are told apart.

    Args:
        below: An existing folder.
    """
    with ExitStack() as stack:
        # Whoever looks for what is left must not find a new folder before it is locked.
        with _locked(below, fcntl.LOCK_EX):
            _clear(below)
            made = tempfile.TemporaryDirectory(prefix=_PREFIX, dir=below)
            folder = Path(stack.enter_context(made))
            stack.enter_context(_locked(folder, fcntl.LOCK_EX))
        yield folder


def _clear(below: Path) -> None:
    for folder in below.glob(f"{_PREFIX}*/"):
        with suppress(OSError), _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    """Hold the lock on a folder while the body runs.

    Raises:
        OSError: It is gone, or another run has it and ``how`` does not wait.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, how)
        yield
    finally:
        os.close(handle)
