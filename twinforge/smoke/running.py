"""A container that was started: how it goes, what it printed, which files it has."""

from __future__ import annotations

import signal
import tarfile
import tempfile
import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import requests
from docker.errors import APIError, DockerException, NotFound

from twinforge.errors import MissingToolError, SmokeError
from twinforge.smoke.modelfiles import Entry
from twinforge.smoke.stream import as_stream

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from docker.models.containers import Container

__all__ = ["LOOPBACK", "STOPPED", "Running", "asking", "read_entries"]

_SIGTERM_BIT = 1 << (signal.SIGTERM - 1)
_LONGEST_TEXT = 1 << 16

LOOPBACK = "127.0.0.1"
POLL_S = 0.05
_ENDED = 409
_NOT_RUNNING = (404, 409, 500)  # how engines say that there are no processes to list
STOPPED = "the smoke was stopped"


class Running:
    """A container that was started."""

    def __init__(
        self,
        container: Container,
        *,
        started: float,
        port: int,
        cancelled: threading.Event,
        host: str = LOOPBACK,
    ) -> None:
        self._container = container
        self._started = started
        self._port = port
        self._host = host
        self._cancelled = cancelled

    @property
    def started(self) -> float:
        """When the engine was asked to start it, on the monotonic clock."""
        return self._started

    @property
    def url(self) -> str:
        """Where its port is reached from here."""
        return f"http://{self._host}:{self._port}"

    @property
    def address(self) -> tuple[str, int]:
        """Where its port is reached from here, for sockets."""
        return self._host, self._port

    def exit_status(self) -> int | None:
        """Return its exit status, or None while it runs."""
        with asking():
            self._container.reload()
        state = self._container.attrs["State"]
        return None if state["Running"] else int(state["ExitCode"])

    def wait(self, limit_s: float) -> int | None:
        """Wait for its end and return its exit status, or None when it still runs then."""
        deadline = time.monotonic() + limit_s
        while (status := self.exit_status()) is None and time.monotonic() < deadline:
            self.pause(POLL_S)
        return status

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            SmokeError: A stop was asked for meanwhile.
        """
        if self._cancelled.wait(seconds):
            raise SmokeError(STOPPED)

    def terminate(self) -> None:
        """Send SIGTERM to its first process; nothing where it has ended."""
        with asking():
            try:
                self._container.kill(signal="SIGTERM")
            except APIError as error:
                if error.status_code != _ENDED:
                    raise

    def processes(self) -> tuple[str, ...]:
        """Return the command lines of what runs in it, its first process first; none when it ended."""
        return tuple(row[-1] for row in self._rows("pid,args"))

    def hears_sigterm(self) -> bool:
        """Whether SIGTERM does something to its first process; true where that can't be seen.

        The kernel gives a container's first process only signals that it has a handler for, or
        that it blocks to wait for them: no default action ends it.

        Source: the manual pages pid_namespaces(7), sigwait(3) and ps(1) (``caught``, ``blocked``)
        """
        rows = self._rows("pid,caught,blocked")
        try:
            masks = [int(text.lstrip("<"), 16) for text in rows[0][1:]]
        except (IndexError, ValueError):
            return True
        return not masks or any(mask & _SIGTERM_BIT for mask in masks)

    def _rows(self, columns: str) -> list[list[str]]:
        """Return what ``ps`` of the engine's machine says, the first process first."""
        with asking():
            try:
                table = self._container.top(ps_args=f"-eo {columns}")
            except APIError as error:
                if error.status_code in _NOT_RUNNING:
                    return []
                raise
        rows = [[str(cell) for cell in row] for row in table["Processes"] or ()]
        # their order is that of numbers, which begin anew some day
        if not self._container.attrs["State"].get("Pid"):
            with asking():
                self._container.reload()
        first = str(self._container.attrs["State"].get("Pid"))
        return sorted(rows, key=lambda row: row[0] != first)

    def changes(self) -> tuple[str, ...]:
        """Return the paths that are other than in its image, sorted; mounts are not looked into."""
        with asking():
            found = self._container.diff() or []
        return tuple(sorted(str(change["Path"]) for change in found))

    def logs(self) -> str:
        """Return all that it printed, in the order in which it did."""
        with asking():
            return self._container.logs().decode(errors="replace")

    def entries(self, folder: str) -> tuple[Entry, ...]:
        """Return what lies below a folder, sorted; nothing where there is no such folder."""
        return read_entries(self._container, folder)

    def read_text(self, path: str) -> str | None:
        """Return the beginning of a file as text, or None where there is none.

        Raises:
            SmokeError: It is a folder, a link or another thing that is no file.
        """
        with _archive(self._container, path) as archive:
            member = archive.next() if archive else None
            if archive is None or member is None:
                return None
            file = archive.extractfile(member) if member.isreg() else None
            if file is None:
                kind = _entry(member).kind
                told = f"a {kind}" if kind in ("folder", "link") else "something else"
                message = f"{path} is {told}, and no file"
                raise SmokeError(message)
            return file.read(_LONGEST_TEXT).decode(errors="replace")


def read_entries(container: Container, folder: str) -> tuple[Entry, ...]:
    """Return what lies below a folder of a container, sorted; nothing where there is none.

    A folder that is reached by a link is looked into. Nothing of its files is kept: there may be
    more of them than this machine has room for.
    """
    with asking():
        try:
            chunks, stat = container.get_archive(folder)
            if stat and stat["linkTarget"]:
                for _chunk in chunks:  # read to its end, so that the connection is free again
                    pass
                chunks, _ = container.get_archive(stat["linkTarget"])
        except NotFound:
            return ()
        with tarfile.open(fileobj=as_stream(chunks), mode="r|") as archive:
            return tuple(sorted(_entry(member) for member in archive if "/" in member.name))


@contextmanager
def asking() -> Iterator[None]:
    """Translate what goes wrong with the engine's API: a "no" is the image's, silence its own."""
    try:
        yield
    except APIError as error:
        message = f"the engine says: {error.explanation or error}"
        raise SmokeError(message) from error
    except (DockerException, requests.exceptions.RequestException) as error:
        message = f"the engine does not answer: {error}"
        raise MissingToolError(message, hint="see 'twinforge engine status'") from error


def _entry(member: tarfile.TarInfo) -> Entry:
    kind = "other"
    if member.isreg() or member.islnk():
        kind = "file"
    elif member.isdir():
        kind = "folder"
    elif member.issym():
        kind = "link"
    path = member.name.partition("/")[2]
    return Entry(path, kind, member.size, member.mtime)


@contextmanager
def _archive(container: Container, path: str) -> Iterator[tarfile.TarFile | None]:
    with tempfile.TemporaryFile() as file:
        if not _download(container, path, file):
            yield None
            return
        file.seek(0)
        with tarfile.open(fileobj=file) as archive:
            yield archive


def _download(container: Container, path: str, file: IO[bytes]) -> bool:
    with asking():
        try:
            chunks, _ = container.get_archive(path)
        except NotFound:
            return False
        for chunk in chunks:
            file.write(chunk)
    return True
