"""Files on their way into a container and out of it: as tar archives, in pieces, never all at once."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, cast

from isal import igzip

from twinforge.errors import TwinforgeError, UsageError
from twinforge.sagemaker.tree import files_followed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Packed", "Piece", "files_below", "pack", "reading", "tar_chunks", "unpack_files"]

_CHUNK = 1 << 20
_BLOCK = tarfile.BLOCKSIZE


@dataclass(frozen=True, slots=True)
class Piece:
    """A file that goes into a container; ``source`` is its content, a path to it, or None: a folder."""

    name: str
    source: bytes | Path | None
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Packed:
    """An archive that was packed.

    Attributes:
        path: The archive.
        files: How many files are in it.
        size_bytes: How big they are together.
        strange: The first entry that is a link or no file, or empty: no endpoint unpacks that.
    """

    path: Path
    files: int
    size_bytes: int
    strange: str = ""


def files_below(folder: Path, *, links: bool) -> Iterator[tuple[str, Path]]:
    """Give the name and path of every file of a folder, sorted; a file stands for itself.

    Args:
        folder: A folder or a file.
        links: Whether links are followed, as an upload to S3 does.

    Raises:
        UsageError: Nothing is there, or there is what is not followed or can't be.
    """
    if folder.is_file():
        yield folder.name, folder
        return
    if not folder.is_dir():
        message = f"there is no file or folder '{folder}'"
        raise UsageError(message)
    if links:
        yield from files_followed(folder)
        return
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            message = f"'{folder}' holds '{name}', which is a link or no ordinary file"
            raise UsageError(message, hint="SageMaker does not serve such a model either")
        if path.is_file():
            yield name, path


def tar_chunks(pieces: Iterable[Piece]) -> Iterator[bytes]:
    """Give a tar archive of the pieces, chunk by chunk; everything in it belongs to root."""
    for piece in pieces:
        member = tarfile.TarInfo(piece.name)
        member.mode = piece.mode
        if piece.source is None:
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            yield member.tobuf(tarfile.PAX_FORMAT)
        elif isinstance(piece.source, bytes):
            member.size = len(piece.source)
            yield from (member.tobuf(tarfile.PAX_FORMAT), piece.source, _padding(member.size))
        else:
            yield from _file_chunks(member, piece.source)
    yield bytes(2 * _BLOCK)


@contextmanager
def reading(chunks: Iterator[bytes]) -> Iterator[tarfile.TarFile]:
    """Read a tar archive that comes in chunks; its members are there in their order, once.

    Raises:
        TwinforgeError: It is damaged.
    """
    try:
        # A stream needs no more of a file than to be read.
        with tarfile.open(fileobj=cast("IO[bytes]", _Chunks(chunks)), mode="r|") as tar:
            yield tar
    except tarfile.TarError as error:
        message = f"what came from the container is damaged: {error}"
        raise TwinforgeError(message) from error


def pack(chunks: Iterator[bytes], target: Path) -> Packed:
    """Pack what lies below a folder of a container into a ``tar.gz``, as the service does.

    Links stay links, as in the model that the service keeps.

    Args:
        chunks: A tar archive of the folder, whose name begins all of its members.
        target: The archive, which is there whole or not at all.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    files, size, strange = 0, 0, ""
    try:
        with (
            igzip.IGzipFile(part, "wb") as stream,  # type: ignore[no-untyped-call] # isal has no types
            tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as packed,
            reading(chunks) as tar,
        ):
            for member in tar:
                content = tar.extractfile(member) if member.isreg() else None
                member.name = _below(member.name)
                if not member.name:
                    continue
                if member.islnk():
                    member.linkname = _below(member.linkname)
                if member.isreg():
                    files, size = files + 1, size + member.size
                elif not member.isdir():
                    strange = strange or member.name
                member.pax_headers = {}  # of the name that it had
                packed.addfile(member, content)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return Packed(target, files, size, strange)


def unpack_files(
    tar: tarfile.TarFile,
    take: Callable[[str, tarfile.TarInfo], bool],
    put: Callable[[str, IO[bytes]], None],
) -> set[str]:
    """Hand on the files of a container's folder; return the names of all, also of those not taken.

    Nothing else than a regular file inside the folder is handed on: no link, no device.

    Args:
        tar: From :func:`reading`.
        take: Says whether a file is wanted.
        put: Gets the wanted, by name.
    """
    names = set()
    for member in tar:
        name = _below(member.name)
        path = PurePosixPath(name)
        if not name or not member.isreg() or path.is_absolute() or ".." in path.parts:
            continue
        names.add(name)
        content = tar.extractfile(member) if take(name, member) else None
        if content is not None:
            with content:
                put(name, content)
    return names


class _Chunks(io.RawIOBase):
    """A file to read, from chunks."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts, length = [self._rest], len(self._rest)
        while size < 0 or length < size:
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            parts.append(chunk)
            length += len(chunk)
        data = b"".join(parts)
        end = len(data) if size < 0 else size
        self._rest = data[end:]
        return data[:end]


def _file_chunks(member: tarfile.TarInfo, path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            member.size, member.mtime = found.st_size, int(found.st_mtime)
            member.mode = 0o755 if found.st_mode & stat.S_IXUSR else 0o644
            yield member.tobuf(tarfile.PAX_FORMAT)
            left = member.size
            while left and (chunk := file.read(min(left, _CHUNK))):
                left -= len(chunk)
                yield chunk
    except OSError as error:
        message = f"'{path}' can't be read: {error.strerror}"
        raise UsageError(message) from error
    if left:
        message = f"'{path}' became shorter while it was read"
        raise TwinforgeError(message)
    yield _padding(member.size)


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def _below(name: str) -> str:
    """Return a member's name without that of the folder that was asked for."""
    return name.partition("/")[2].strip("/")
