"""Checkpoints of a job, kept in step with a folder or with S3 while it runs.

What is there when the job starts is there for it; what the job writes, changes and deletes follows;
what others add meanwhile is left alone.

Source: SageMaker developer guide, "Use checkpoints in Amazon SageMaker".
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol

from twinforge.errors import UsageError
from twinforge.sagemaker.local.files import Piece, files_below, reading, unpack_files
from twinforge.sagemaker.local.sources import S3_SCHEME, download
from twinforge.sagemaker.place import Place

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Iterator

    from twinforge.events import Listener
    from twinforge.sagemaker.local.desk import Desk
    from twinforge.sagemaker.storage import MutableStorage

__all__ = ["CHECKPOINTS", "Checkpoints", "open_store"]

CHECKPOINTS = "/opt/ml/checkpoints"


class Store(Protocol):
    """Where checkpoints are kept."""

    def restore(self) -> Iterator[tuple[str, Path]]:
        """Give the names and paths of what is there."""
        ...

    def write(self, name: str, content: IO[bytes]) -> None:
        """Write a file, whole or not at all."""
        ...

    def delete(self, name: str) -> None:
        """Delete a file."""
        ...


class Checkpoints:
    """What is known of a job's checkpoints, and where they are kept."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: dict[str, tuple[int, float]] = {}

    def pieces(self) -> Iterator[Piece]:
        """Give what a job finds in its folder when it starts."""
        for name, path in self._store.restore():
            found = path.stat()
            # The archive that brings it has whole seconds.
            self._seen[name] = (found.st_size, float(int(found.st_mtime)))
            yield Piece(f"ml/checkpoints/{name}", path)

    def sync(self, desk: Desk, box: str) -> int:
        """Bring the store to what the job's folder holds now; return how many files changed."""
        changed: list[str] = []
        now: dict[str, tuple[int, float]] = {}

        def take(name: str, member: tarfile.TarInfo) -> bool:
            now[name] = (member.size, float(member.mtime))
            return self._seen.get(name) != now[name]

        def put(name: str, content: IO[bytes]) -> None:
            self._store.write(name, content)
            changed.append(name)

        with desk.get(box, CHECKPOINTS) as chunks:
            if chunks is not None:
                with reading(chunks) as tar:
                    unpack_files(tar, take, put)
        for name in self._seen.keys() - now.keys():
            self._store.delete(name)
            changed.append(name)
        self._seen = now
        return len(changed)


class FolderStore:
    """A folder of this machine."""

    def __init__(self, folder: Path) -> None:
        if folder.exists() and not folder.is_dir():
            message = f"'{folder}' is no folder for checkpoints"
            raise UsageError(message)
        self._folder = folder

    def restore(self) -> Iterator[tuple[str, Path]]:
        """Give the names and paths of what is there."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return files_below(self._folder, links=True)

    def write(self, name: str, content: IO[bytes]) -> None:
        """Write a file, whole or not at all; what is a link there is replaced, not followed."""
        target = self._folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.parent.resolve().is_relative_to(self._folder.resolve()):
            message = f"the checkpoint '{name}' would be written outside of '{self._folder}'"
            raise UsageError(message)
        part = target.with_name(f".{target.name}.part")
        try:
            with part.open("wb") as file:
                shutil.copyfileobj(content, file)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def delete(self, name: str) -> None:
        """Delete a file."""
        (self._folder / name).unlink(missing_ok=True)


class S3Store:
    """A prefix in S3."""

    def __init__(
        self, storage: MutableStorage, place: Place, listener: Listener, scratch: Path
    ) -> None:
        self._storage = storage
        self._place = place
        self._listener = listener
        self._scratch = scratch

    def restore(self) -> Iterator[tuple[str, Path]]:
        """Give the names and paths of what is there."""
        folder = self._scratch / "restored"
        folder.mkdir()
        if self._storage.sizes(self._prefix):
            download(self._storage, str(self._prefix), folder, listener=self._listener)
        return files_below(folder, links=False)

    def write(self, name: str, content: IO[bytes]) -> None:
        """Write an object."""
        with tempfile.NamedTemporaryFile(dir=self._scratch) as file:
            shutil.copyfileobj(content, file)
            file.flush()
            self._storage.upload(Path(file.name), self._place.below(name), lambda _: None)

    def delete(self, name: str) -> None:
        """Delete an object."""
        self._storage.delete(self._place.below(name))

    @property
    def _prefix(self) -> Place:
        return self._place.below("")


def open_store(text: str, storage: MutableStorage, *, listener: Listener, scratch: Path) -> Store:
    """Return where checkpoints are kept: a folder, or an address in S3.

    Raises:
        UsageError: It is neither.
    """
    if text.startswith(S3_SCHEME):
        return S3Store(storage, Place.parse(text), listener, scratch)
    return FolderStore(Path(text))
