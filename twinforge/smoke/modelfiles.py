"""What lies in ``/opt/ml/model``: what training must leave there, and what serving must not touch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.errors import SmokeError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MODEL", "Entry", "judge_model", "judge_unchanged", "name_files"]

MODEL = "/opt/ml/model"
_NAMED = 5


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """A file of a container; ``kind`` is ``file``, ``folder``, ``link`` or ``other``."""

    path: str
    kind: str
    size_bytes: int
    mtime: float


def judge_model(entries: Sequence[Entry]) -> str:
    """Return in a few words what a training job left.

    Raises:
        SmokeError: It left no file, or something that an endpoint refuses to unpack.
    """
    files = [entry for entry in entries if entry.kind == "file"]
    strange = [entry for entry in entries if entry.kind not in ("file", "folder")]
    if strange:
        message = f"'{strange[0].path}' in {MODEL} is a link or no file: an endpoint refuses those"
        raise SmokeError(message)
    if not files:
        message = f"'train' ended with status 0 and left no file in {MODEL}"
        raise SmokeError(message)
    return f"status 0, {name_files(files)}"


def name_files(files: Sequence[Entry]) -> str:
    """Return the names of the first files, how many more there are, and the bytes of all.

    >>> name_files([Entry("a.bin", "file", 1200, 0.0)])
    'a.bin (1,200 bytes)'
    """
    size = sum(entry.size_bytes for entry in files)
    names = [entry.path for entry in files[:_NAMED]]
    more = f" and {len(files) - _NAMED:,} more" if len(files) > _NAMED else ""
    return f"{', '.join(names)}{more} ({size:,} bytes)"


def judge_unchanged(before: Sequence[Entry], after: Sequence[Entry]) -> str:
    """Return in a few words that serving changed nothing.

    Raises:
        SmokeError: It did; the message names the files.
    """
    changed = sorted({entry.path for entry in {*before} ^ {*after}})
    if changed:
        more = f" and {len(changed) - _NAMED:,} more" if len(changed) > _NAMED else ""
        message = f"{MODEL} changed while 'serve' ran: {', '.join(changed[:_NAMED])}{more}"
        raise SmokeError(message)
    return f"served with {MODEL} read-only"
