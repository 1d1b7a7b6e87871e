"""Whether the Python packages of an image are those of its lock."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from twinforge.errors import SmokeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["LIST_INSTALLED", "PYTHON", "compare_installed", "parse_installed"]

PYTHON = "/opt/venv/bin/python"

LIST_INSTALLED = (
    "import sys; sys.path = [one for one in sys.path if one];"  # the first is the working directory
    "import importlib.metadata as m, json;"
    "print(json.dumps([[d.metadata['Name'] or str(d.locate_file('')), d.metadata['Version']]"
    " for d in m.distributions()]))"
)
"""What the image's own Python runs; it prints name and version of every distribution as JSON.

It is run with the image's variables, as the program is: ``PYTHONPATH`` leads to packages, too. A
distribution without a name is told by the folder that it lies in.
"""


def parse_installed(output: str) -> tuple[tuple[str, str], ...]:
    """Return name and version of each distribution from what ``LIST_INSTALLED`` printed.

    Raises:
        SmokeError: It printed something else, or a distribution has no name.
    """
    try:
        pairs = json.loads(output.strip().rsplit("\n", 1)[-1])
        return tuple((str(name), str(version)) for name, version in pairs)
    except (ValueError, TypeError) as error:
        message = f"the installed packages could not be listed: {output.strip() or 'no output'}"
        raise SmokeError(message) from error


def compare_installed(
    locked: Mapping[str, str], installed: Sequence[tuple[str, str]]
) -> tuple[str, ...]:
    """Return every difference as half a sentence, sorted by package; none when all is equal.

    Names are compared in their canonical form.
    Source: https://packaging.python.org/en/latest/specifications/name-normalization/

    >>> compare_installed({"NumPy": "2.0"}, [("numpy", "2.0"), ("pip", "23.0")])
    ('pip 23.0 is not in the lock',)
    """
    wanted: dict[str, str] = {canonicalize_name(name): version for name, version in locked.items()}
    found: dict[str, list[str]] = {}
    for name, version in installed:
        known = name if "/" in name else canonicalize_name(name)
        found.setdefault(known, []).append(version)
    differences = []
    for name in sorted(wanted.keys() | found.keys()):
        versions = found.get(name, [])
        if "/" in name:
            differences.append(f"in {name} lies a package without a name")
        elif name not in wanted:
            differences.append(f"{name} {' and '.join(versions)} is not in the lock")
        elif not versions:
            differences.append(f"{name} {wanted[name]} is missing")
        elif len(versions) > 1:
            differences.append(f"{name} is installed {len(versions)} times")
        elif not _same_version(wanted[name], versions[0]):
            differences.append(f"{name} is {versions[0]}, locked is {wanted[name]}")
    return tuple(differences)


def _same_version(left: str, right: str) -> bool:
    try:
        return Version(left) == Version(right)
    except InvalidVersion:
        return left == right
