"""Which process is a dockerd, and which dockerd is ours.

A process id alone says nothing: the kernel gives it to another process as soon as ours has ended.
Ours is the one that runs the program ``dockerd`` with our own pid file among its arguments.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["find_rival", "is_our_dockerd", "read_pid", "runs_program"]

PROC = Path("/proc")
PROGRAM = "dockerd"


def read_pid(pid_file: Path) -> int:
    """Return the pid that a file holds, or 0 where there is no file or no pid in it."""
    try:
        text = pid_file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return 0
    return int(text) if text.isdecimal() else 0


def runs_program(pid: int, name: str, *, proc: Path = PROC) -> bool:
    """Whether this process runs a program of this name; also readable for who is not root."""
    try:
        return (proc / str(pid) / "comm").read_bytes().strip() == name.encode()
    except OSError:
        return False


def is_our_dockerd(pid: int, pid_file: Path, *, proc: Path = PROC) -> bool:
    """Whether this process is the dockerd that was started with our pid file.

    A process that has ended and waits for its parent has no arguments any more, and so is not.
    """
    if pid <= 0 or not runs_program(pid, PROGRAM, proc=proc):
        return False
    try:
        arguments = (proc / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return f"--pidfile={pid_file}".encode() in arguments


def find_rival(pid_file: Path, *, proc: Path = PROC) -> int:
    """Return the pid of a dockerd that is not ours and shares our network namespace, or 0."""
    try:
        ours = (proc / "self" / "ns" / "net").readlink()
    except OSError:
        return 0
    for entry in sorted(proc.iterdir()):
        pid = int(entry.name) if entry.name.isdecimal() else 0
        if not pid or not runs_program(pid, PROGRAM, proc=proc):
            continue
        try:
            is_near = (entry / "ns" / "net").readlink() == ours
        except OSError:
            continue
        if is_near and not is_our_dockerd(pid, pid_file, proc=proc):
            return pid
    return 0
