"""Images of digits as rows of numbers: how they are read, and what is refused."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["PIXELS", "DataError", "parse_csv", "parse_json", "read_labelled"]

PIXELS = 64
"""An image is 8 by 8 pixels, row by row."""

BRIGHTEST = 16
"""A pixel is a number from 0 to this."""


class DataError(ValueError):
    """What was given is not images of digits; the message is for the one who sent it."""


def read_labelled(folder: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Read every CSV file of a folder: a header, 64 columns of pixels and the column ``label``.

    Raises:
        DataError: There are no such files, or they hold something else.
    """
    files = sorted(path for path in folder.rglob("*.csv") if path.is_file())
    if not files:
        message = f"the channel '{folder.name}' holds no CSV file"
        raise DataError(message)
    tables = []
    for path in files:
        _, _, rows = path.read_text(encoding="utf-8").partition("\n")
        tables.append(_table(rows, PIXELS + 1, f"'{path.name}'"))
    everything = np.concatenate(tables)
    return _checked(everything[:, :PIXELS]), everything[:, PIXELS].astype(np.int64)


def parse_csv(body: bytes) -> NDArray[np.float32]:
    """Parse lines of 64 pixels without a header.

    Raises:
        DataError: They are something else.
    """
    return _checked(_table(body.decode("utf-8", errors="replace"), PIXELS, "the body"))


def parse_json(body: bytes) -> NDArray[np.float32]:
    """Parse ``[[64 pixels], ...]`` or ``{"instances": [[64 pixels], ...]}``.

    Raises:
        DataError: It is something else.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        message = f"the body is not JSON: {error}"
        raise DataError(message) from error
    rows = document.get("instances") if isinstance(document, dict) else document
    if not isinstance(rows, list) or not rows or not all(_is_image(row) for row in rows):
        message = f"the body is not a list of rows with {PIXELS} numbers each"
        raise DataError(message)
    return _checked(np.asarray(rows, dtype=np.float32))


def _is_image(row: object) -> bool:
    return (
        isinstance(row, list)
        and len(row) == PIXELS
        and all(isinstance(pixel, int | float) and not isinstance(pixel, bool) for pixel in row)
    )


def _table(text: str, columns: int, what: str) -> NDArray[np.float32]:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        message = f"{what} holds no rows"
        raise DataError(message)
    try:
        rows: NDArray[np.float32] = np.loadtxt(
            io.StringIO("\n".join(lines)), delimiter=",", dtype=np.float32, ndmin=2
        )
    except ValueError as error:
        message = f"{what} is not rows of numbers: {error}"
        raise DataError(message) from error
    if rows.shape[1] != columns:
        message = f"{what} has {rows.shape[1]} columns, and {columns} are needed"
        raise DataError(message)
    return rows


def _checked(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    wrong: Sequence[Sequence[int]] = np.argwhere(~((pixels >= 0) & (pixels <= BRIGHTEST))).tolist()
    if wrong:
        row, column = wrong[0]
        message = (
            f"row {row + 1}, column {column + 1} is {pixels[row, column]:g}, "
            f"a pixel is a number from 0 to {BRIGHTEST}"
        )
        raise DataError(message)
    return pixels
