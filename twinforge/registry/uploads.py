"""Uploads that were begun and not finished, so that the next push can go on with them.

An upload has a folder of its own with one file in it, and whoever is at it holds the lock on that
folder: a push that was killed lets go of it, and of two that run at the same time only one goes on.
Nothing depends on what is kept: the registry is asked, and it checks the digest in the end.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from twinforge.wholefile import write_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from twinforge.model.reference import Digest

__all__ = ["Begun", "Uploads"]

FORMAT = 1
LEAST_BYTES = 16 << 20
"""A smaller blob is sent again sooner than its rest is asked for."""

KEPT_S = 7 * 24 * 3600
"""Docker's registry forgets an upload after a week by default.

Source: https://distribution.github.io/distribution/about/configuration/ ("uploadpurging").
"""

_FILE = "upload.json"


class Begun:
    """One blob's upload, while it is ours; ``location`` is empty where there is none to go on with."""

    def __init__(self, folder: Path, digest: Digest) -> None:
        self._folder = folder
        self._digest = digest
        self.location = _read(folder / _FILE, digest)

    def keep(self, location: str) -> None:
        """Remember where the registry takes the rest."""
        self.location = location
        document = {"version": FORMAT, "digest": str(self._digest), "location": location}
        write_json(self._folder / _FILE, document)

    def forget(self) -> None:
        """Keep nothing any more: it is done, or lost."""
        self.location = ""
        (self._folder / _FILE).unlink(missing_ok=True)


class Uploads:
    """The uploads that pushes from one project have begun; for several threads and processes.

    Args:
        folder: Where they are kept; made when the first is.
        least_bytes: Of what size on.
    """

    def __init__(self, folder: Path, *, least_bytes: int = LEAST_BYTES) -> None:
        self._folder = folder
        self._least_bytes = least_bytes

    @contextmanager
    def claim(self, repository: str, digest: Digest, size_bytes: int) -> Iterator[Begun | None]:
        """Give the upload of a blob while the body runs; None where it is small or somebody else's.

        Args:
            repository: ``host/repository``.
            digest: Of the blob.
            size_bytes: Its size.
        """
        if size_bytes < self._least_bytes:
            yield None
            return
        name = hashlib.sha256(f"{repository}@{digest}".encode()).hexdigest()[:32]
        folder = self._folder / name
        # Ours alone: the address of an upload can be all that it takes to write to it.
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
        try:
            if not _lock(handle):
                yield None
                return
            begun = Begun(folder, digest)
            yield begun
            if not begun.location:
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(handle)

    def tidy(self) -> None:
        """Remove what no registry knows any more."""
        oldest = time.time() - KEPT_S
        for folder in self._folder.glob("*/"):
            with suppress(FileNotFoundError):  # another process has tidied
                handle = os.open(folder, os.O_RDONLY)
                try:
                    if os.fstat(handle).st_mtime < oldest and _lock(handle):
                        shutil.rmtree(folder, ignore_errors=True)
                finally:
                    os.close(handle)


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(path: Path, digest: Digest) -> str:
    try:
        document = json.loads(path.read_bytes())
        if document["version"] != FORMAT or document["digest"] != str(digest):
            return ""
        return str(document["location"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
