"""Why a training job failed, where SageMaker looks for it.

Source: "How Amazon SageMaker signals algorithm success and failure" of the developer guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LONGEST_REASON", "reason_of", "write_failure"]

LONGEST_REASON = 1024


def reason_of(error: BaseException, *, is_ours: bool) -> str:
    """Return what an error says; one that is not ours with its type."""
    try:
        text = str(error)
    except Exception as other:  # noqa: BLE001 - of the user's code
        text = f"its text can't be had: {type(other).__name__}"
    if is_ours:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def write_failure(root: Path, reason: str) -> str:
    """Write the reason, unless one is there already; return why it can't be written, or nothing."""
    path = root / "output/failure"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # half of a surrogate pair has no form in UTF-8
        with path.open("x", encoding="utf-8", errors="replace") as stream:
            stream.write(reason[:LONGEST_REASON])
    except FileExistsError:
        return ""
    except OSError as error:
        return f"'{path}' can't be written: {error.strerror}"
    return ""
