"""Unpacking a model's ``tar.gz`` that nobody vouches for: nothing leaves the folder, nothing is endless."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from twinforge.errors import TwinforgeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["extract_model"]

_READ_LIMIT = 4 << 20
"""More than one read of a file's content asks for; a header that claims more is an attack."""
_FILES = 100_000
_OVERHEAD_BYTES = 64 << 20
"""What headers and padding may add to the files' own bytes."""


def extract_model(
    archive: Path, folder: Path, *, max_bytes: int, listener: Callable[[str], None] | None = None
) -> tuple[str, ...]:
    """Unpack a model into a folder that is new or empty; return the names of its files, sorted.

    The folder appears whole or not at all. Owners and special modes are not taken over.

    Args:
        archive: A ``tar.gz`` file.
        folder: Where its files go.
        max_bytes: How big they may be together.
        listener: Told of every file's name.

    Raises:
        UsageError: The folder holds something.
        TwinforgeError: The archive is damaged, holds a link, a device or a path outside the folder,
            or is bigger than allowed.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        message = f"'{folder}' is there and not an empty folder"
        raise UsageError(message, hint="give a folder that is new or empty")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".part"))
    try:
        names = _extract(archive, part, max_bytes, listener)
        part.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return names


class _Bounded:
    """A file to read forwards, which refuses to give more than was allowed, in all and at once.

    It goes back by one byte, as tarfile does to see whether a member is whole; a compressed stream
    would begin again for that.
    """

    def __init__(self, stream: gzip.GzipFile, limit: int) -> None:
        self._stream = stream
        self._left = limit
        self._at = 0
        self._last = b""
        self._is_back = False

    def tell(self) -> int:
        return self._at - self._is_back

    def seek(self, position: int) -> int:
        if position == self._at - 1 and self._last:
            self._is_back = True
            return position
        self._is_back = False
        if position < self._at:
            message = "the archive can only be read forwards"
            raise tarfile.ReadError(message)
        while self._at < position and self.read(min(position - self._at, _READ_LIMIT)):
            pass
        return self._at

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _READ_LIMIT:
            message = "the archive has a header of an absurd size"
            raise TwinforgeError(message)
        begin = self._last if self._is_back and size else b""
        self._is_back = self._is_back and not size
        data = self._stream.read(size - len(begin))
        self._at += len(data)
        self._left -= len(data)
        self._last = data[-1:] or self._last
        if self._left < 0:
            message = "the archive unpacks to more than is allowed"
            raise TwinforgeError(message, hint="raise --max-size if the model is that big")
        return begin + data


def _extract(
    archive: Path, folder: Path, max_bytes: int, listener: Callable[[str], None] | None
) -> tuple[str, ...]:
    names: list[str] = []
    total = 0
    try:
        with (
            gzip.open(archive, "rb") as stream,
            tarfile.open(
                fileobj=(bounded := _Bounded(stream, max_bytes + _OVERHEAD_BYTES)),  # type: ignore[call-overload] # reading needs no more
                mode="r:",
            ) as tar,
        ):
            for member in tar:
                target = folder / _safe(member)
                if member.isdir():
                    _make(member, target)
                    continue
                total += member.size
                if total > max_bytes:
                    message = f"the model is bigger than {max_bytes:,} bytes"
                    raise TwinforgeError(message, hint="raise --max-size if it is right")
                _write(tar, member, target)
                names.append(target.relative_to(folder).as_posix())
                if len(names) > _FILES:
                    message = f"the model has more than {_FILES:,} files"
                    raise TwinforgeError(message)
                if listener is not None:
                    listener(names[-1])
            while bounded.read(_READ_LIMIT):  # the checksum comes last, behind the archive's end
                pass
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        message = f"the model is no intact tar.gz: {error}"
        raise TwinforgeError(message) from error
    return tuple(sorted(names))


def _safe(member: tarfile.TarInfo) -> str:
    path = PurePosixPath(member.name)
    inside = [part for part in path.parts if part != "."]
    if path.is_absolute() or ".." in inside or "\0" in member.name:
        message = f"the model holds '{member.name}', which lies outside its folder"
        raise TwinforgeError(message)
    if not (member.isdir() or (member.isreg() and not member.issparse())):
        message = f"the model holds '{member.name}', which is a link or no ordinary file"
        raise TwinforgeError(message, hint="SageMaker does not serve such a model either")
    return "/".join(inside)


def _make(member: tarfile.TarInfo, target: Path) -> None:
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"the folder '{member.name}' of the model can't be made: {error}"
        raise TwinforgeError(message) from error


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    source = tar.extractfile(member)
    if source is None or target.exists():
        message = f"the model holds '{member.name}' twice"
        raise TwinforgeError(message)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with source, target.open("xb") as file:
            shutil.copyfileobj(source, file)
    except OSError as error:
        message = f"'{member.name}' of the model can't be written: {error}"
        raise TwinforgeError(message) from error
    target.chmod(0o755 if member.mode & 0o100 else 0o644)
