"""A container that was started: how it goes, what it printed, which files it has."""

from __future__ import annotations

import tarfile
import tempfile
import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import requests
from docker.errors import APIError, DockerException, NotFound

from twinforge.errors import MissingToolError, SmokeError
from twinforge.smoke.modelfiles import Entry

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from docker.models.containers import Container

__all__ = ["LOOPBACK", "STOPPED", "Running", "asking", "read_entries"]

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
        with asking():
            try:
                table = self._container.top(ps_args="-eo pid,args")
            except APIError as error:
                if error.status_code in _NOT_RUNNING:
                    return ()
                raise
        return tuple(str(row[-1]) for row in table["Processes"] or ())

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
        """Return a file as text, or None where there is none."""
        with _archive(self._container, path) as archive:
            member = archive.next() if archive else None
            file = archive.extractfile(member) if archive and member else None
            return file.read().decode(errors="replace") if file else None


def read_entries(container: Container, folder: str) -> tuple[Entry, ...]:
    """Return what lies below a folder of a container, sorted; nothing where there is none."""
    with _archive(container, folder) as archive:
        members = archive.getmembers() if archive else []
    return tuple(sorted(_entry(member) for member in members if "/" in member.name))


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
