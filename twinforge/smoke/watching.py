"""Which processes ran in a container, seen from outside while it runs, and which packages changed."""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager, suppress
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Protocol

from twinforge.errors import TwinforgeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Seen", "changed_packages", "installers", "judge_installers", "watching"]

_PAUSE_S = 0.1

_ALWAYS = re.compile(
    r"pip[0-9.]*|easy_install|apt|apt-get|aptitude|dpkg|conda|mamba|micromamba|yum|dnf|apk"
)
_WITH_VERB = {
    "uv": ("pip", "sync", "add"),
    "poetry": ("install", "add"),
    "npm": ("install", "i", "ci", "add"),
    "gem": ("install",),
    "composer": ("install", "require"),
}
_INTERPRETERS = re.compile(r"python[0-9.]*|(?:ba|da|a)?sh|perl|node|ruby|php[0-9.]*")
_MODULES = ("pip", "ensurepip")
_PACKAGE_FOLDERS = ("site-packages", "dist-packages", "node_modules")
_DATABASES = ("/var/lib/dpkg/", "/var/lib/apt/", "/var/cache/apt/")


class Watched(Protocol):
    """A container whose processes can be listed; so that tests can be one."""

    def processes(self) -> tuple[str, ...]:
        """Return the command lines of what runs in it, its first process first."""


class Seen:
    """The command lines that were seen so far, in the order of their first appearance."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}

    @property
    def lines(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(self._lines)

    def add(self, lines: Sequence[str]) -> None:
        """Remember some."""
        self._lines.update(dict.fromkeys(lines))


@contextmanager
def watching(container: Watched) -> Iterator[Seen]:
    """List a container's processes again and again while the body runs.

    What lives for less than a tenth of a second may be missed; what it changed is not (see
    ``changed_packages``).
    """
    seen, done = Seen(), threading.Event()

    def look() -> None:
        while not done.is_set():
            # The engine's silence is told by the checks, which ask it all the time.
            with suppress(TwinforgeError):
                seen.add(container.processes())
            done.wait(_PAUSE_S)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def judge_installers(lines: Sequence[str], changes: Sequence[str]) -> str:
    """Return what is wrong with what ran and what changed, as one sentence; empty for nothing."""
    wrong = [f"it started `{line}`" for line in installers(lines)]
    changed = changed_packages(changes)
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        wrong.append(f"it changed the installed packages: {changed[0]}{more}")
    return "; ".join(wrong)


def installers(lines: Sequence[str]) -> tuple[str, ...]:
    """Return those of the command lines that install something.

    >>> installers(["python3 -m pip install numpy", "gunicorn --bind :8080", "/usr/bin/apt update"])
    ('python3 -m pip install numpy', '/usr/bin/apt update')
    """
    return tuple(line for line in lines if _installs(line.split()))


def changed_packages(changes: Sequence[str]) -> tuple[str, ...]:
    """Return those of the changed paths that belong to installed packages, byte-code aside."""
    return tuple(
        path
        for path in changes
        if "__pycache__" not in PurePosixPath(path).parts
        and (
            path.startswith(_DATABASES)
            or any(path.partition(f"/{folder}/")[2] for folder in _PACKAGE_FOLDERS)
        )
    )


def _installs(words: Sequence[str]) -> bool:
    if not words:
        return False
    if _INTERPRETERS.fullmatch(PurePosixPath(words[0]).name):
        if "-m" in words[:-1] and words[words.index("-m") + 1] in _MODULES:
            return True
        # a script of it: `python3 -u /usr/bin/pip install`, `sh -c pip install`
        words = [word for word in words[1:] if not word.startswith("-")]
        if not words:
            return False
    name = PurePosixPath(words[0]).name
    if _ALWAYS.fullmatch(name):
        return True
    return any(verb in words[1:] for verb in _WITH_VERB.get(name, ()))
