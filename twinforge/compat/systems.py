"""The systems that bases stand on, by what a base's source says of itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from twinforge.compat.tables import load_system_table
from twinforge.errors import UnknownError
from twinforge.model.matrix import Bootstrap

if TYPE_CHECKING:
    from twinforge.compat.tables import SystemRecord
    from twinforge.model.matrix import Base
    from twinforge.model.reference import Reference

__all__ = ["find_system", "system_name"]

_CUDA_TAG = re.compile(r".*-(?P<system>ubuntu)(?P<release>[0-9]{2}\.[0-9]{2})")
_RELEASE = re.compile(r"[0-9]+(?:\.[0-9]{2})?")


def find_system(base: Base) -> SystemRecord:
    """Return the record of the system that a base holds.

    A bootstrapped base says it by its suite, an image by its name and tag: ``ubuntu:22.04``,
    ``debian:bookworm-slim``, ``nvidia/cuda:...-ubuntu22.04``.

    Raises:
        UnknownError: There is no data on it.
    """
    return load_system_table().systems[system_name(base)]


def system_name(base: Base) -> str:
    """Return the name of the system that a base holds, such as ``debian-12``.

    Raises:
        UnknownError: There is no data on it.
    """
    systems = load_system_table().systems
    by_codename = {record.codename: name for name, record in systems.items()}
    source = base.source
    if isinstance(source, Bootstrap):
        found = by_codename.get(source.suite)
    else:
        named = _named(source)
        found = named if named in systems else by_codename.get(source.tag.partition("-")[0])
    if found is None:
        shown = source.suite if isinstance(source, Bootstrap) else str(source)
        message = (
            f"{base.place}: there is no data on the system of the base '{base.name}' ({shown})"
        )
        raise UnknownError(message, hint=f"known systems: {', '.join(systems)}")
    return found


def _named(reference: Reference) -> str:
    """Return a system's name such as ``ubuntu-22.04``, or what no system is called."""
    if match := _CUDA_TAG.fullmatch(reference.tag):
        return f"{match['system']}-{match['release']}"
    release = _RELEASE.match(reference.tag)
    return f"{reference.repository.rpartition('/')[2]}-{release[0]}" if release else ""
