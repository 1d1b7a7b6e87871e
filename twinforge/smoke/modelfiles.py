"""What lies in ``/opt/ml/model``: what training must leave there, and what serving must not touch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.errors import SmokeError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MODEL", "Entry", "judge_model", "judge_unchanged"]

MODEL = "/opt/ml/model"


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
    size = sum(entry.size_bytes for entry in files)
    return f"status 0, {', '.join(entry.path for entry in files)} ({size:,} bytes)"


def judge_unchanged(before: Sequence[Entry], after: Sequence[Entry]) -> str:
    """Return in a few words that serving changed nothing.

    Raises:
        SmokeError: It did; the message names the files.
    """
    changed = sorted({entry.path for entry in {*before} ^ {*after}})
    if changed:
        message = f"{MODEL} changed while 'serve' ran: {', '.join(changed)}"
        raise SmokeError(message)
    return f"served with {MODEL} read-only"
