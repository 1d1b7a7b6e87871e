"""What uv is asked, as the files that it reads.

Source: https://docs.astral.sh/uv/concepts/indexes/ and PEP 751.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from twinforge.errors import LockError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["index_name", "name_indexes", "preferred_text", "project_text", "requirements_lines"]


def index_name(url: str) -> str:
    """Return the name that uv is given for an index, after its host.

    >>> index_name("https://wheels.example.org/simple/")
    'wheels-example-org'

    Its credentials are then ``UV_INDEX_WHEELS_EXAMPLE_ORG_USERNAME`` and ``..._PASSWORD``.
    """
    return re.sub(r"[^a-z0-9]+", "-", urlsplit(url).netloc.rpartition("@")[2].lower()).strip("-")


def name_indexes(urls: Iterable[str]) -> dict[str, str]:
    """Return a name for each index by its URL, in order: uv refuses two indexes of one name.

    The second of a host has netrc for its credentials.
    """
    named: dict[str, str] = {}
    for url in dict.fromkeys(urls):
        name = index_name(url)
        named[url] = f"{name}-{len(named)}" if name in named.values() else name
    return named


def requirements_lines(requirements: Sequence[str]) -> str:
    """Return a requirements.txt.

    Raises:
        LockError: One is none, and could be an option of uv's.
    """
    for requirement in requirements:
        if not requirement.isprintable() or requirement.startswith("-"):
            message = f"{requirement!r} is not a requirement that can be given to uv"
            raise LockError(message)
    return "".join(f"{requirement}\n" for requirement in requirements)


def project_text(
    requirements: Sequence[str], homes: Sequence[tuple[str, str]], names: Mapping[str, str]
) -> str:
    """Return a pyproject.toml, the one place where uv is told of a package's own index.

    Args:
        requirements: What is asked for.
        homes: Packages, each with the URL of its index.
        names: The name of each index by its URL.

    Raises:
        LockError: A requirement is none.
    """
    requirements_lines(requirements)
    # the strings and lists of JSON are TOML's too
    sources = (f"{json.dumps(name)} = {{index = {json.dumps(names[url])}}}" for name, url in homes)
    indexes = (
        f"[[tool.uv.index]]\nname = {json.dumps(names[url])}\nurl = {json.dumps(url)}\n"
        "explicit = true"
        for url in dict.fromkeys(url for _, url in homes)
    )
    return "\n".join(
        [
            '[project]\nname = "twinforge-question"\nversion = "0"',
            f"dependencies = {json.dumps(list(requirements))}",
            "[tool.uv.sources]",
            *sources,
            *indexes,
            "",
        ]
    )


def preferred_text(versions: Mapping[str, str]) -> str:
    """Return the beginnings of a pylock.toml: uv reads an output file that exists as preferences."""
    packages = (
        f'\n[[packages]]\nname = "{name}"\nversion = "{version}"\n'
        for name, version in sorted(versions.items())
    )
    return 'lock-version = "1.0"\ncreated-by = "twinforge"\n' + "".join(packages)
