"""Child processes: the one module that starts any.

Each child is the leader of a process group of its own, so that Ctrl-C reaches it only through us:
TERM first, a pause in which BuildKit and uv can clean up, then KILL.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.errors import CommandError, MissingToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["Completed", "run", "stop", "stream"]

GRACE_S = 10.0
_STRAGGLERS_S = 1.0
_POLL_S = 0.05
_TAIL_LINES = 40
_CANT_RUN = {
    errno.ENOENT: "does not exist",
    errno.ENOTDIR: "does not exist",
    errno.EACCES: "may not be executed",
    errno.ENOEXEC: "is not made for this machine",
}


@dataclass(frozen=True, slots=True)
class Completed:
    """What a child process printed, and its exit status."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str


def run(  # noqa: PLR0913 - the options of a child process, all by keyword
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    timeout_s: float | None = None,
    check: bool = True,
) -> Completed:
    """Run a program to its end and return what it printed.

    Args:
        argv: The program and its arguments; never a shell.
        cwd: Where it runs.
        env: Its whole environment, or None for ours.
        stdin: What it reads; nothing when None.
        timeout_s: After this many seconds it is stopped and the status is negative, whatever the
            program itself says.
        check: Whether a status other than 0 is an error.

    Raises:
        CommandError: ``check`` is set and the program failed.
        MissingToolError: The program does not exist or can't be run.
    """
    hint = ""
    with _started(argv, cwd=cwd, env=env, stdin=stdin is not None, merge=False) as child:
        try:
            out, err = child.communicate(stdin, timeout=timeout_s)
            status = child.returncode
        except subprocess.TimeoutExpired:
            stop(child)
            out, err = _rest(child)
            status = _stopped(child.returncode)
            hint = f"it was stopped after {timeout_s:g} s"
    done = Completed(
        tuple(argv), status, out.decode(errors="replace"), err.decode(errors="replace")
    )
    if check and done.status:
        raise CommandError(argv, done.status, done.stderr or done.stdout, hint=hint)
    return done


def stream(  # noqa: PLR0913 - the options of a child process, all by keyword
    argv: Sequence[str],
    *,
    on_line: Callable[[str], None],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    cancelled: threading.Event | None = None,
    check: bool = True,
) -> int:
    """Run a program, hand on each line of its output and errors as it comes, return its status.

    ``cancelled`` ends the program as Ctrl-C would; the status is negative then, whatever the
    program itself says. Lines come without their line end.

    Raises:
        CommandError: ``check`` is set and the program failed.
        MissingToolError: The program does not exist or can't be run.
    """
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    with (
        _started(argv, cwd=cwd, env=env, stdin=False, merge=True) as child,
        _watched(child, cancelled) as was_stopped,
    ):
        assert child.stdout is not None  # noqa: S101 - a pipe was asked for
        for raw in child.stdout:
            line = raw.decode(errors="replace").rstrip("\r\n")
            tail.append(line)
            on_line(line)
        status = child.wait()
    if was_stopped.is_set():
        status = _stopped(status)
    if check and status:
        raise CommandError(argv, status, "\n".join(tail))
    return status


def stop(child: subprocess.Popen[bytes], *, grace_s: float = GRACE_S) -> None:
    """End a child and all that it started: TERM, a pause, KILL.

    What the child leaves behind when it ends gets a second more: nobody waits for it.
    """
    _signal_group(child, signal.SIGTERM)
    try:
        child.wait(grace_s)
        deadline_s = time.monotonic() + min(grace_s, _STRAGGLERS_S)
        while _group_is_alive(child) and time.monotonic() < deadline_s:
            time.sleep(_POLL_S)
    except subprocess.TimeoutExpired:
        pass
    finally:  # also when a second Ctrl-C ends the pause
        _signal_group(child, signal.SIGKILL)
        child.wait()


@contextmanager
def _started(
    argv: Sequence[str],
    *,
    cwd: Path | None,
    env: Mapping[str, str] | None,
    stdin: bool,
    merge: bool,
) -> Iterator[subprocess.Popen[bytes]]:
    try:
        child = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merge else subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        # A folder that is not there raises the same class, and so does a lack of memory: only what
        # speaks of the program itself is translated.
        if error.errno not in _CANT_RUN or (cwd is not None and not cwd.is_dir()):
            raise
        message = f"the program '{argv[0]}' {_CANT_RUN[error.errno]}"
        raise MissingToolError(message) from error
    try:
        yield child
    except BaseException:
        stop(child)
        raise
    finally:
        for pipe in (child.stdout, child.stderr, child.stdin):
            if pipe is not None:
                pipe.close()


@contextmanager
def _watched(
    child: subprocess.Popen[bytes], cancelled: threading.Event | None
) -> Iterator[threading.Event]:
    """Stop the child when ``cancelled`` is set; yields the event that says that it was stopped."""
    was_stopped = threading.Event()
    if cancelled is None:
        yield was_stopped
        return
    has_ended = threading.Event()
    request = cancelled

    def watch() -> None:
        while not has_ended.wait(_POLL_S):
            if request.is_set():
                if child.poll() is None:
                    was_stopped.set()
                stop(child)
                return

    watcher = threading.Thread(target=watch, name=f"watch-{child.pid}", daemon=True)
    watcher.start()
    try:
        yield was_stopped
    finally:
        has_ended.set()
        watcher.join()


def _rest(child: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """Return what a stopped child printed; a process that left its group may hold the pipes open."""
    try:
        return child.communicate(timeout=_STRAGGLERS_S)
    except subprocess.TimeoutExpired as error:
        return error.stdout or b"", error.stderr or b""


def _stopped(status: int) -> int:
    """Return the status of a child that was stopped: some answer TERM with 0, as if all was done."""
    return status if status < 0 else -signal.SIGTERM


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(child.pid, number)
    except (ProcessLookupError, PermissionError):  # macOS answers EPERM for zombies
        return


def _group_is_alive(child: subprocess.Popen[bytes]) -> bool:
    try:
        os.killpg(child.pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
