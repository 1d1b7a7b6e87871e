"""What a build takes from the project: the program's files, and frozen copies of all of it.

The copy has fixed modes and times, so that two checkouts give the same layer, and it can't change
while a build runs: what the content key was made of is what goes into the image.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from twinforge.errors import BuildError
from twinforge.render.dockerfile import EPOCH
from twinforge.render.key import ProgramFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["PROGRAM", "read_program", "stage_context", "stage_folders", "stage_program"]

PROGRAM = "program.tar"
"""The archive of the program in the context, as the Dockerfile names it."""

_IGNORED = {"__pycache__", ".DS_Store", ".git", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
_ANY_EXECUTE = 0o111
_EXECUTABLE = 0o755
_PLAIN = 0o644


def read_program(folder: Path) -> tuple[ProgramFile, ...]:
    """Return every file below the folder, sorted, without what tools leave behind.

    A symbolic link is read as the file or folder that it points to; the model has refused those
    that lead out of the project. One that leads to a folder around it is left out.
    """
    return tuple(
        ProgramFile(
            path.relative_to(folder).as_posix(),
            bool(path.stat().st_mode & _ANY_EXECUTE),
            hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in _files(folder, tuple(folder.resolve().parents))
    )


def stage_program(folder: Path, files: tuple[ProgramFile, ...], into: Path) -> Path:
    """Write the program to ``into/program.tar`` with fixed modes and times; return the archive.

    A builder that updates its copy of a folder gives the folder the time of the update, and unpacks
    an archive as it is.

    ``into`` is named by what is in it: an archive that is there already is complete and the same.

    Raises:
        BuildError: A file is not the one that ``files`` says, since it changed meanwhile.
    """

    def fill(partial: Path) -> None:
        with tarfile.open(partial / PROGRAM, "w", format=tarfile.PAX_FORMAT) as archive:
            for name in _folders_of(files):
                archive.addfile(_member(name, tarfile.DIRTYPE, _EXECUTABLE, 0))
            for file in files:
                content = _content(file, folder)
                mode = _EXECUTABLE if file.executable else _PLAIN
                member = _member(f"program/{file.path}", tarfile.REGTYPE, mode, len(content))
                archive.addfile(member, io.BytesIO(content))
        _set_time(partial / PROGRAM, hashlib.sha256(repr(files).encode()).hexdigest())

    return _staged(into, fill) / PROGRAM


def stage_folders(
    source: Path, folders: Mapping[str, tuple[ProgramFile, ...]], into: Path, *, drop: str = ""
) -> Path:
    """Copy files of one folder to several below ``into`` with fixed modes and times; return ``into``.

    Args:
        source: Where the files are.
        folders: Folder below ``into`` -> the files that go there.
        into: Named by what is in it: a copy that is there already is complete and the same.
        drop: What the copies' paths don't begin with any more.

    Raises:
        BuildError: A file is not the one that is named, since it changed meanwhile.
    """

    def fill(partial: Path) -> None:
        for name, files in folders.items():
            (partial / name).mkdir(parents=True)
            for file in files:
                _copy(file, source, partial / name / file.path.removeprefix(drop))
        for path in (*sorted(partial.rglob("*"), reverse=True), partial):
            if path.is_dir():
                path.chmod(_EXECUTABLE)
                os.utime(path, (EPOCH, EPOCH))

    return _staged(into, fill)


def stage_context(files: Mapping[str, str], into: Path, *, program: Path | None = None) -> Path:
    """Write a variant's generated files to ``into``, and the program's archive; return it.

    ``into`` is named by what is in it: a folder that is there already is complete and the same.
    """

    def fill(partial: Path) -> None:
        for name, text in files.items():
            path = partial / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        if program is None:
            return
        try:
            os.link(program, partial / PROGRAM)
        except OSError:  # on another file system, or on one without such links
            shutil.copy2(program, partial / PROGRAM)

    return _staged(into, fill)


def _staged(into: Path, fill: Callable[[Path], None]) -> Path:
    """Let a folder appear whole, by one rename, so that builds side by side can't disturb it."""
    if into.exists():
        return into
    into.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{into.name}-", dir=into.parent))
    try:
        fill(partial)
        partial.rename(into)
    except OSError:
        shutil.rmtree(partial)
        if not into.exists():  # else another build was first
            raise
    except BaseException:
        shutil.rmtree(partial)
        raise
    return into


def _folders_of(files: tuple[ProgramFile, ...]) -> list[str]:
    """Return the program's folder and all below it that hold a file, outer ones first."""
    inner = {f"program/{parent}" for file in files for parent in PurePosixPath(file.path).parents}
    return sorted({"program"} | {name.removesuffix("/.") for name in inner})


def _member(name: str, kind: bytes, mode: int, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.size, member.mtime = kind, mode, size, EPOCH
    return member


def _content(file: ProgramFile, folder: Path) -> bytes:
    try:
        content = (folder / file.path).read_bytes()
    except FileNotFoundError:
        content = None
    if content is None or hashlib.sha256(content).hexdigest() != file.sha256:
        message = f"the program's file '{file.path}' changed while the build began"
        raise BuildError(message, hint="build again")
    return content


def _copy(file: ProgramFile, folder: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(_content(file, folder))
    target.chmod(_EXECUTABLE if file.executable else _PLAIN)
    _set_time(target, file.sha256)


def _set_time(path: Path, sha256: str) -> None:
    """Give a file of a context a time that another content would not have.

    BuildKit keeps the copy of a context that it has, and takes a file of the same size and time for
    the same file. The Dockerfile gives all files in the image one time.
    """
    time_ns = EPOCH * 10**9 + int(sha256[:15], 16)
    os.utime(path, ns=(time_ns, time_ns))


def _files(folder: Path, around: tuple[Path, ...]) -> Iterator[Path]:
    inside = (*around, folder.resolve())
    for path in sorted(folder.iterdir()):
        if path.name in _IGNORED or path.suffix == ".pyc":
            continue
        if path.is_dir():
            if path.resolve() not in inside:
                yield from _files(path, inside)
        elif path.is_file():
            yield path
