"""Files that are written whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

__all__ = ["json_text", "write_json", "write_text"]


def json_text(value: object) -> str:
    """Return the value as indented JSON with a line end; keys keep their order.

    Raises:
        ValueError: It holds a number that JSON can't express (infinite, or not a number).
        TypeError: It holds something else that JSON can't express.
    """
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: Path, value: object) -> None:
    """Write a JSON file so that a reader sees the old content or the new, never a part.

    Raises:
        OSError: The file can't be written; what was there is unchanged.
    """
    write_text(path, json_text(value))


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8) so that a reader sees the old content or the new, never a part.

    Folders that are missing are made. An existing file's permissions stay.

    Raises:
        OSError: The file can't be written; what was there is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    target = path.resolve()  # a link stays a link
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        part.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o644)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
