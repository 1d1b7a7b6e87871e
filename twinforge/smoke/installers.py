"""Which command lines install something, and which changed files are packages."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["changed_packages", "installers", "judge_installers"]

_ALWAYS = re.compile(
    r"pip[0-9.]*|easy_install|apt|apt-get|aptitude|yum|dnf|microdnf|tdnf|apk|zypper|pacman|uvx|cpanm"
)
_WITH_VERB = {
    **dict.fromkeys(("conda", "mamba", "micromamba"), ("install", "create", "update", "env")),
    "dpkg": ("-i", "--install", "--unpack", "--configure", "-r", "--remove", "-P", "--purge"),
    "rpm": ("-i", "-ivh", "--install", "-U", "-Uvh", "--upgrade", "-e", "--erase"),
    "uv": ("pip", "sync", "add", "tool"),
    "poetry": ("install", "add"),
    "pdm": ("install", "add", "sync"),
    "pipx": ("install", "run"),
    **dict.fromkeys(("npm", "pnpm", "yarn", "bun"), ("install", "i", "ci", "add")),
    "gem": ("install",),
    **dict.fromkeys(("bundle", "bundler"), ("install", "add")),
    "composer": ("install", "require"),
    **dict.fromkeys(("pear", "pecl", "luarocks"), ("install",)),
    "cargo": ("install",),
    "go": ("install", "get"),
    "R": ("INSTALL",),
}
_RUNNERS = frozenset({"run", "exec", "--"})
"""What comes behind such a word is the program that is run, with its own words."""
_INTERPRETERS = re.compile(
    r"(?P<kind>python|(?:ba|da|a)?sh|perl|node|ruby|php|tini|dumb-init)[0-9.]*"
)
_PYTHON_MODULE = re.compile(r"-[bBdEiIOPqsSuvx]*m(?P<module>.*)")
_WITH_VALUE = ("-W", "-X")
_MODULES = re.compile(r"(?:pip|ensurepip|easy_install)(?:\..*)?")
_COMMANDS = re.compile(r"[;&|()\n]+")

_PACKAGE_FOLDERS = ("site-packages", "dist-packages", "node_modules", "site-library", "conda-meta")
_PACKAGE_FACTS = (".dist-info", ".egg-info")
"""What a Python package leaves wherever it is installed, as by ``pip install --target``."""
_PLACES = (
    *("/var/lib/dpkg/", "/var/lib/apt/", "/var/cache/apt/", "/lib/apk/db/", "/var/lib/rpm/"),
    *("/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/"),
    "/opt/venv/bin/",
)
"""Databases of packages, and the folders of programs, which only who installs writes to."""
_INPUT = "/opt/ml/input/"
"""Put there before the start, and any file may be named anything."""


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
    return tuple(path for path in changes if _is_package(path))


def _is_package(path: str) -> bool:
    parts = PurePosixPath(path).parts
    if path.startswith(_INPUT) or "__pycache__" in parts:
        return False
    return (
        path.startswith(_PLACES)
        or any(path.partition(f"/{folder}/")[2] for folder in _PACKAGE_FOLDERS)
        or any(part.endswith(_PACKAGE_FACTS) for part in parts)
    )


def _installs(words: Sequence[str]) -> bool:
    if not words:
        return False
    name = PurePosixPath(words[0]).name
    if named := _INTERPRETERS.fullmatch(name):
        return _interpreter_installs(named["kind"], words[1:])
    if _ALWAYS.fullmatch(name):
        return True
    verbs = _WITH_VERB.get(name, ())
    for word in words[1:]:
        if word in verbs:
            return True
        if word in _RUNNERS:
            return False
    return False


def _interpreter_installs(kind: str, words: Sequence[str]) -> bool:
    """Whether an interpreter is given something that installs: a script, a module, a command."""
    rest = iter(enumerate(words))
    for place, word in rest:
        if kind == "python" and (found := _PYTHON_MODULE.fullmatch(word)):
            module = found["module"] or next(iter(words[place + 1 :]), "")
            return _MODULES.fullmatch(module) is not None
        if kind == "python" and word in _WITH_VALUE:
            next(rest, None)
        elif word == "-c" and kind.endswith("sh"):
            # `docker top` joins the words: what was one text, and what follows it, is no more known
            commands = _COMMANDS.split(" ".join(words[place + 1 :]))
            return any(_installs(command.split()) for command in commands)
        elif not word.startswith("-"):
            # a script of it: `python3 -u /usr/bin/pip install`, or what tini starts
            return _installs(words[place:])
    return False
