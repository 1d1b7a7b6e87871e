"""Aliases: moving tags, written with braces for what differs between releases and variants."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PLACEHOLDERS", "expand_alias", "parse_braces", "release_values"]

PLACEHOLDERS = ("version", "major", "minor")
_BRACES = re.compile(r"\{([^{}]*)\}")


def parse_braces(tag: str) -> tuple[list[str], str]:
    """Return the names in braces, and the rest of the tag.

    >>> parse_braces("{major}.{minor}-cpu")
    (['major', 'minor'], '.-cpu')
    """
    return _BRACES.findall(tag), _BRACES.sub("", tag)


def release_values(version: str) -> Mapping[str, str]:
    """Return what the release's names in braces stand for."""
    parsed = Version(version)
    return {"version": version, "major": str(parsed.major), "minor": str(parsed.minor)}


def expand_alias(tag: str, values: Mapping[str, str]) -> str:
    """Return the tag with its braces filled in.

    >>> expand_alias("{major}-{accelerator}", {"major": "1", "accelerator": "cpu"})
    '1-cpu'

    Raises:
        KeyError: A name in braces has no value.
    """
    return _BRACES.sub(lambda match: values[match[1]], tag)
