"""Resolving by uv: the one module that runs it.

Each question is a ``uv pip compile`` in an empty folder with an environment of its own, so that
neither the machine's configuration of pip and uv nor its interpreter has a say. The answer is read
from pylock.toml (PEP 751), in which uv lists the wheels of each package that fit the target.

Source: https://docs.astral.sh/uv/pip/compile/ and https://docs.astral.sh/uv/reference/environment/.
"""

from __future__ import annotations

import re
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename
from uv import find_uv_bin

from twinforge.errors import IndexUnreachableError, LockError, MissingToolError
from twinforge.lock.resolver import Conflict, Resolved, Target
from twinforge.lock.uv_question import (
    name_indexes,
    preferred_text,
    project_text,
    requirements_lines,
)
from twinforge.process import run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from packaging.tags import Tag

__all__ = [
    "UvResolver",
    "clean_environment",
    "default_index",
    "platform",
    "wheel_tags",
]

_KEPT = frozenset(
    {
        "ALL_PROXY",
        "HOME",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NETRC",
        "NO_PROXY",
        "PATH",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "SSL_CLIENT_CERT",
        "TMPDIR",
        "XDG_CACHE_HOME",
    }
)
_CREDENTIAL = re.compile(r"UV_INDEX_[A-Z0-9_]+_(USERNAME|PASSWORD)")
_IN_URL = re.compile(r"(?<=://)[^/@\s]+@")
_GLIBC_MINORS = (17, 28, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40)
_OLDEST_MANYLINUX = {"x86_64": 5, "aarch64": 17}
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_NO_SOLUTION = 1
_REQUIREMENTS = "requirements.in"
_PROJECT = "pyproject.toml"
_REFUSED = "check the network, the proxy and the CA bundle"
_ANNOTATION = re.compile(r"^\s+# from (?P<url>\S+)$", re.MULTILINE)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class UvResolver:
    """The :class:`~twinforge.lock.resolver.Resolver` that asks package indexes through uv.

    Attributes:
        environment: What the program was started with; only what
            :func:`clean_environment` lets through reaches uv.
        default_index: URL of the index to ask in place of uv's own default, or empty.
    """

    environment: Mapping[str, str]
    default_index: str = ""

    def compile(  # noqa: PLR0913 - a question has these parts, most by keyword
        self,
        requirements: Sequence[str],
        constraints: Sequence[str],
        target: Target,
        *,
        preferences: Mapping[str, str],
        indexes: Sequence[str],
        without: Sequence[str] = (),
        homes: Sequence[tuple[str, str]] = (),
    ) -> tuple[Resolved, ...] | Conflict:
        """See :meth:`twinforge.lock.resolver.Resolver.compile`."""
        if not requirements:
            return ()
        environment = clean_environment(self.environment) | {"NO_COLOR": "1"}
        # Indexes go through the environment: an argv can be read by everybody on the machine, and
        # their URLs may hold credentials.
        if self.default_index:
            environment["UV_DEFAULT_INDEX"] = self.default_index
        names = name_indexes([*indexes, *(index for _, index in homes)])
        if indexes:
            environment["UV_INDEX"] = " ".join(f"{names[url]}={url}" for url in indexes)
        with tempfile.TemporaryDirectory(prefix="twinforge-lock-") as name:
            folder = Path(name)
            output = folder / "pylock.toml"
            question = folder / (_PROJECT if homes else _REQUIREMENTS)
            asked = (
                project_text(requirements, homes, names)
                if homes
                else requirements_lines(requirements)
            )
            question.write_text(asked, encoding="utf-8")
            (folder / "constraints.txt").write_text(
                requirements_lines(constraints), encoding="utf-8"
            )
            # a requirement that holds nowhere takes the place of everybody's own
            overrides = requirements_lines([f"{name}; python_version < '0'" for name in without])
            (folder / "overrides.txt").write_text(overrides, encoding="utf-8")
            if preferences:
                output.write_text(preferred_text(preferences), encoding="utf-8")
            done = run(_argv(target, question.name), cwd=folder, env=environment, check=False)
            if done.status == _NO_SOLUTION:
                return Conflict(_explanation(done.stderr))
            if done.status:
                raise _no_answer(done.stderr, [*indexes, *(index for _, index in homes)])
            return _resolved(output.read_text(encoding="utf-8"), target)


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the part of an environment that may reach uv.

    That is what is needed to get through to an index (proxies, certificates, credentials of named
    indexes, the home with its netrc and cache), and nothing that could change the answer.
    """
    return {
        name: value
        for name, value in environment.items()
        if name.upper() in _KEPT or _CREDENTIAL.fullmatch(name)
    }


def default_index(environment: Mapping[str, str], package: str) -> str:
    """Return the URL of the index that uv asks when nothing names another.

    The user's own settings of uv count here: the answer is where the user's packages come from.

    Args:
        environment: What the program was started with.
        package: One that the index has.

    Raises:
        LockError: uv could not ask it.
    """
    settings = {name: value for name, value in environment.items() if name.startswith("UV_")}
    kept = {**settings, **clean_environment(environment), "NO_COLOR": "1"}
    with tempfile.TemporaryDirectory(prefix="twinforge-index-") as name:
        folder = Path(name)
        (folder / "requirements.in").write_text(requirements_lines([package]), encoding="utf-8")
        argv = [
            *(_uv(), "pip", "compile", "requirements.in", "--no-deps", "--no-annotate"),
            *("--emit-index-annotation", "--no-header", "--no-progress", "--quiet"),
            *("--python", sys.executable, "--no-python-downloads"),
        ]
        done = run(argv, cwd=folder, env=kept, check=False)
    found = _ANNOTATION.search(done.stdout)
    if done.status or found is None:
        message = f"uv could not ask the package index: {_one_line(done.stderr)}"
        raise LockError(message, hint=_REFUSED)
    return found["url"]


def platform(glibc: str, machine: str = "x86_64") -> str:
    """Return uv's name for Linux with this glibc, or the newest older one that it knows.

    >>> platform("2.36"), platform("2.27"), platform("2.99", "aarch64")
    ('x86_64-manylinux_2_36', 'x86_64-manylinux_2_17', 'aarch64-manylinux_2_40')

    Raises:
        LockError: It is older than any that wheels are made for.
    """
    major, _, minor = glibc.partition(".")
    known = [one for one in _GLIBC_MINORS if minor.isdecimal() and one <= int(minor)]
    if major != "2" or not known:
        message = f"there are no wheels for glibc {glibc}; the oldest is 2.{_GLIBC_MINORS[0]}"
        raise LockError(message, hint="use a base with a newer glibc")
    return f"{machine}-manylinux_2_{known[-1]}"


def wheel_tags(target: Target) -> tuple[Tag, ...]:
    """Return the tags of wheels that fit a target, best first, as pip orders them.

    Source: https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/
    """
    major, minor = (int(part) for part in target.python.split(".")[:2])
    newest = int(platform(target.glibc).rpartition("_")[2])
    platforms = []
    oldest = _OLDEST_MANYLINUX[target.machine]
    for number in range(newest, oldest - 1, -1):
        platforms.append(f"manylinux_2_{number}_{target.machine}")
        if number in _LEGACY:
            platforms.append(f"{_LEGACY[number]}_{target.machine}")
    platforms.append(f"linux_{target.machine}")
    interpreter = f"cp{major}{minor}"
    return (
        *cpython_tags((major, minor), [interpreter], platforms),
        *compatible_tags((major, minor), interpreter, platforms),
    )


def _uv() -> str:
    try:
        return find_uv_bin()
    except FileNotFoundError as error:
        message = "the program 'uv' is not beside the Python package 'uv'"
        raise MissingToolError(message, hint="install the package 'uv' again with pip") from error


def _argv(target: Target, question: str = _REQUIREMENTS) -> list[str]:
    return [
        *(_uv(), "pip", "compile", question),
        *("--constraints", "constraints.txt"),
        *("--overrides", "overrides.txt"),
        *("--output-file", "pylock.toml"),
        *("--python-version", target.python),
        *("--python-platform", platform(target.glibc, target.machine)),
        *("--only-binary", ":all:"),
        # Any interpreter will do, since the target says everything; without this one uv would look
        # for another on PATH and, finding none, download it.
        *("--python", sys.executable, "--no-python-downloads"),
        *("--no-config", "--no-header", "--no-progress", "--quiet"),
    ]


def _no_answer(stderr: str, indexes: Sequence[str]) -> LockError:
    """Return the error for what uv could not ask, which names the recipe's index if it was one."""
    said = _one_line(stderr)
    fitting = (index for index in indexes if index.rstrip("/") in said)
    index = max(fitting, key=len, default="")
    if not index:
        return LockError(f"uv could not ask the package indexes: {said}", hint=_REFUSED)
    cause = said.rpartition("cause: ")[2]
    message = f"the index {index} is out of reach: {cause}"
    return IndexUnreachableError(message, index=index, said=cause, hint=_REFUSED)


def _resolved(pylock: str, target: Target) -> tuple[Resolved, ...]:
    packages = tomllib.loads(pylock).get("packages", [])
    ranks = {tag: rank for rank, tag in enumerate(wheel_tags(target))}
    return tuple(sorted((_one(package, ranks) for package in packages), key=lambda one: one.name))


def _one(package: Mapping[str, Any], ranks: Mapping[Tag, int]) -> Resolved:
    name = canonicalize_name(package["name"])
    fitting = []
    for wheel in package.get("wheels", ()):
        filename = _filename(wheel)
        _, _, build, tags = parse_wheel_filename(filename)
        known = [ranks[tag] for tag in tags if tag in ranks]
        if known:
            # As installers choose: the most specific tag, then the highest build number.
            fitting.append((-min(known), build, filename, wheel))
    if not fitting:
        message = f"uv did not find a wheel of an index for '{name}'"
        raise LockError(message, hint="ask for the package by name and version, without a URL")
    _, _, filename, wheel = max(fitting, key=lambda one: one[:3])
    sha256 = wheel.get("hashes", {}).get("sha256", "")
    if not _SHA256.fullmatch(sha256):
        message = f"the index gives no sha256 for '{filename}'"
        raise LockError(message, hint="use an index that publishes hashes, as PEP 503 asks for")
    return Resolved(name, package["version"], filename, sha256, wheel.get("size", 0))


def _filename(wheel: Mapping[str, Any]) -> str:
    location = wheel.get("name") or wheel.get("url") or wheel["path"]
    return unquote(urlsplit(location).path.rpartition("/")[2])


def _explanation(stderr: str) -> str:
    """Return why there is no solution, on one line, without uv's hints about its own options.

    uv draws the reason with a tree (``╰─▶``) or as ``cause:``, depending on its version.
    """
    before_hints = re.split(r"^\s*hint:", stderr, maxsplit=1, flags=re.MULTILINE)[0]
    text = re.split(r"╰─▶|cause:", before_hints, maxsplit=1)[-1]
    return _one_line(text).rstrip(".")


def _one_line(text: str) -> str:
    return _IN_URL.sub("", " ".join(text.split()))
