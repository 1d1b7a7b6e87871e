"""The files of a folder, where links are what they lead to: as an upload to S3 takes them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from twinforge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["files_followed"]


def files_followed(folder: Path) -> Iterator[tuple[str, Path]]:
    """Give the name and path of every file below a folder, sorted, also of linked folders.

    A link that leads nowhere, and what is neither file nor folder, is left out.

    Raises:
        UsageError: A link leads back to a folder above it, so that there is no end.
    """
    found = []
    for place, folders, names in os.walk(folder, followlinks=True):
        here = Path(place)
        real = here.resolve()
        for name in folders:
            below = here / name
            if below.is_symlink() and real.is_relative_to(below.resolve()):
                message = f"the link '{below}' leads back to a folder that holds it"
                raise UsageError(message)
        found += [here / name for name in names if (here / name).is_file()]
    for path in sorted(found):
        yield path.relative_to(folder).as_posix(), path
