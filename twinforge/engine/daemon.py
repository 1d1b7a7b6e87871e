"""A dockerd of our own: its folders, its start and its end."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import os
import select
import shutil
import signal
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from twinforge import process
from twinforge.engine.identity import is_our_dockerd, read_pid, runs_program
from twinforge.errors import MissingToolError, TwinforgeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Daemon", "answers", "dockerd_major", "exclusive", "start_daemon", "stop_daemon"]

START_S = 60.0
GRACE_S = 30.0
GARBAGE = {"GOGC": "400", "GOMEMLIMIT": "512MiB"}
"""When dockerd collects garbage: once its heap, of some 50 MB, has grown fivefold and not twofold,
where a twentieth of a build went into it; or as often as it takes to stay below half a gigabyte.

Source: https://pkg.go.dev/runtime, "Environment Variables".
"""

PAUSE_S = 0.1
TAIL_LINES = 12
LONGEST_FOLDER = 64
"""Longer ones would push containerd's sockets over the 107 bytes of a Unix socket's path."""

SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin")
INHERITED = frozenset(
    {"HOME", "LANG", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR"}
    | {
        name
        for lower in ("all_proxy", "ftp_proxy", "http_proxy", "https_proxy", "no_proxy")
        for name in (lower, lower.upper())
    }
)
"""What dockerd is told of our environment; credentials stay out of a process that outlives us."""

# The shell puts the program in the background and ends, so that the program is no child of ours
# that somebody would have to wait for; setsid takes it out of our session and our Ctrl-C.
DETACHED = 'log=$1; shift; setsid "$@" >"$log" 2>&1 </dev/null & echo $!'


@dataclass(frozen=True, slots=True)
class Daemon:
    """Where a dockerd of our own keeps what belongs to it, all below one folder."""

    root: Path

    @property
    def data_dir(self) -> Path:
        """Images, containers and the build cache; kept when the engine stops."""
        return self.root / "data"

    @property
    def run_dir(self) -> Path:
        """The socket, the pid file and containerd's state."""
        root = self.root.absolute()
        if len(os.fsencode(root)) <= LONGEST_FOLDER:
            return root / "run"
        return Path("/run") / f"twinforge-{hashlib.sha256(os.fsencode(root)).hexdigest()[:12]}"

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.run_dir / "docker.sock"

    @property
    def host(self) -> str:
        """Its value for DOCKER_HOST."""
        return f"unix://{self.socket}"

    @property
    def pid_file(self) -> Path:
        """Written by dockerd itself."""
        return self.run_dir / "dockerd.pid"

    @property
    def log(self) -> Path:
        """What dockerd printed since its last start."""
        return self.root / "dockerd.log"

    @property
    def config(self) -> Path:
        """A daemon.json of its own: that of the machine may name other sockets and folders."""
        return self.root / "daemon.json"

    def argv(self, program: str) -> tuple[str, ...]:
        """Return what starts it."""
        return (
            program,
            f"--config-file={self.config}",
            f"--data-root={self.data_dir}",
            f"--exec-root={self.run_dir / 'exec'}",
            f"--host={self.host}",
            f"--pidfile={self.pid_file}",
        )

    def pid(self) -> int:
        """Return its process id while it runs, else 0."""
        pid = read_pid(self.pid_file)
        return pid if is_our_dockerd(pid, self.pid_file) else 0


@contextmanager
def exclusive(daemon: Daemon) -> Iterator[None]:
    """Hold the lock under which this engine is installed, started and stopped.

    Raises:
        TwinforgeError: Its folder is not ours to write.
    """
    try:
        daemon.root.mkdir(mode=0o755, parents=True, exist_ok=True)
        opened = (daemon.root / "lock").open("w", encoding="ascii")
    except PermissionError as error:
        message = f"'{daemon.root}' belongs to another user"
        raise TwinforgeError(message, hint="run this as root") from error
    with opened as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def answers(path: Path, *, timeout_s: float = 5.0) -> bool:
    """Whether an engine answers on this Unix socket; needs no docker CLI."""
    connection = http.client.HTTPConnection("localhost", timeout=timeout_s)
    try:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(timeout_s)
        connection.sock.connect(str(path))
        connection.request("GET", "/_ping")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def dockerd_major(environ: Mapping[str, str]) -> int:
    """Return the major version of the dockerd that is installed, or 0."""
    program = _dockerd_program(environ)
    if not program:
        return 0
    words = process.run([program, "--version"], timeout_s=START_S, check=False).stdout.split()
    # "Docker version 26.1.5+dfsg1, build 411e817"
    number = words[2].partition(".")[0] if len(words) > 2 else ""  # noqa: PLR2004
    return int(number) if number.isdecimal() else 0


def start_daemon(daemon: Daemon, *, environ: Mapping[str, str], timeout_s: float = START_S) -> None:
    """Start dockerd and wait until it answers; one that runs already is only waited for.

    The caller holds the lock. The engine outlives this process.

    Raises:
        MissingToolError: It ended or did not answer in time; the hint has its last lines.
    """
    pid = daemon.pid() or _spawn(daemon, environ)
    limit = time.monotonic() + timeout_s
    while not answers(daemon.socket):
        # Before the shell's child has become dockerd, it only has a pid.
        if not Path(f"/proc/{pid}/cmdline").exists():
            raise _failed(daemon, "ended before it answered")
        if time.monotonic() > limit:
            stop_daemon(daemon)
            raise _failed(daemon, f"did not answer within {timeout_s:.0f} s")
        time.sleep(PAUSE_S)


def stop_daemon(daemon: Daemon, *, grace_s: float = GRACE_S) -> bool:
    """End our dockerd and with it its containers; return whether there was one.

    The data stays. The caller holds the lock.
    """
    pid = read_pid(daemon.pid_file)
    if not is_our_dockerd(pid, daemon.pid_file):
        return False
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        # The handle stands for one process for ever: looking again makes sure that it is ours.
        if not is_our_dockerd(pid, daemon.pid_file):
            return False
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        if not select.select([handle], [], [], grace_s)[0]:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            select.select([handle], [], [], grace_s)
    except ProcessLookupError:
        # It ended by itself in between.
        return True
    finally:
        os.close(handle)
    return True


def _spawn(daemon: Daemon, environ: Mapping[str, str]) -> int:
    daemon.run_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
    if not daemon.config.exists():
        daemon.config.write_text("{}\n", encoding="utf-8")
    # dockerd refuses to start when the pid in an old file belongs to any process by now, and takes
    # any such process for its containerd.
    daemon.pid_file.unlink(missing_ok=True)
    containerd = daemon.run_dir / "exec" / "containerd" / "containerd.pid"
    if not runs_program(read_pid(containerd), "containerd"):
        containerd.unlink(missing_ok=True)
    if daemon.log.exists():
        daemon.log.replace(daemon.log.with_name("dockerd.log.old"))
    env = {name: value for name, value in environ.items() if name in INHERITED}
    env |= {"PATH": _search_path(environ), **GARBAGE}
    argv = daemon.argv(_dockerd_program(environ))
    shell = ["/bin/sh", "-c", DETACHED, "sh", str(daemon.log), *argv]
    return int(process.run(shell, cwd=Path("/"), env=env).stdout)


def _dockerd_program(environ: Mapping[str, str]) -> str:
    """Return the full path of dockerd, or an empty string."""
    return shutil.which("dockerd", path=_search_path(environ)) or ""


def _failed(daemon: Daemon, what: str) -> MissingToolError:
    try:
        lines = daemon.log.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        lines = []
    tail = "\n".join(lines[-TAIL_LINES:])
    message = f"dockerd {what}"
    return MissingToolError(message, hint=f"see {daemon.log}, which ends:\n{tail}")


def _search_path(environ: Mapping[str, str]) -> str:
    folders = [folder for folder in environ.get("PATH", "").split(os.pathsep) if folder]
    further = [folder for folder in SYSTEM_FOLDERS if folder not in folders]
    return os.pathsep.join((*folders, *further))
