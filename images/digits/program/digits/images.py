"""Images of digits as rows of numbers: their shape, how they are read and what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray

__all__ = ["CLASSES", "PIXELS", "DataError", "parse_csv", "parse_json", "read_labelled"]

PIXELS = 64
"""An image is 8 by 8 pixels, row by row."""

BRIGHTEST = 16
"""A pixel is a number from 0 to this."""

CLASSES = 10


class DataError(ValueError):
    """What was given is not images of digits; the message is for the one who sent it."""


def read_labelled(folder: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Read every CSV file of a folder: a header, 64 columns of pixels and the column ``label``.

    Returns:
        The images, one a row, and their labels.

    Raises:
        DataError: There are no such files, or they hold something else.
    """
    files = sorted(path for path in folder.rglob("*.csv") if path.is_file())
    if not files:
        message = f"the channel '{folder.name}' holds no CSV file"
        raise DataError(message)
    frames = []
    for path in files:
        try:
            frame = pd.read_csv(path)
        except ValueError as error:  # pandas' errors of parsing and of emptiness are ValueErrors
            message = f"'{path.name}' is not a CSV file: {error}"
            raise DataError(message) from error
        if frame.columns[-1] != "label" or len(frame.columns) != PIXELS + 1:
            message = (
                f"'{path.name}' has {len(frame.columns)} columns of which the last is "
                f"'{frame.columns[-1]}'; {PIXELS} pixels and 'label' are needed"
            )
            raise DataError(message)
        frames.append(frame)
    everything = pd.concat(frames, ignore_index=True)
    labels = everything.pop("label").to_numpy()
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= CLASSES:
        message = f"labels are whole numbers from 0 to {CLASSES - 1}"
        raise DataError(message)
    return _checked(everything.to_numpy()), labels.astype(np.int64)


def parse_csv(body: BinaryIO) -> NDArray[np.float32]:
    """Parse lines of 64 pixels without a header.

    Raises:
        DataError: They are something else.
    """
    try:
        frame = pd.read_csv(body, header=None)
    except ValueError as error:
        message = f"the body is not CSV: {error}"
        raise DataError(message) from error
    return _checked(frame.to_numpy())


def parse_json(body: BinaryIO) -> NDArray[np.float32]:
    """Parse ``[[64 pixels], ...]`` or ``{"instances": [[64 pixels], ...]}``.

    Raises:
        DataError: It is something else.
    """
    try:
        document = json.load(body)
    except (ValueError, RecursionError) as error:
        message = f"the body is not JSON: {error}"
        raise DataError(message) from error
    rows = document.get("instances") if isinstance(document, dict) else document
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        message = 'the body is neither a list of rows nor {"instances": a list of rows}'
        raise DataError(message)
    try:
        return _checked(np.asarray(rows))
    except DataError:
        raise
    except (ValueError, OverflowError) as error:
        message = f"every row must hold {PIXELS} numbers: {error}"
        raise DataError(message) from error


def _checked(rows: NDArray[np.generic]) -> NDArray[np.float32]:
    if not rows.size:
        message = "there are no rows"
        raise DataError(message)
    if rows.ndim != 2 or rows.shape[1] != PIXELS:  # noqa: PLR2004 - rows and columns
        width = rows.shape[1] if rows.ndim > 1 else 0
        message = f"every row must hold {PIXELS} numbers, here are {width}"
        raise DataError(message)
    if rows.dtype.kind not in "iuf":
        message = "a pixel must be a number"
        raise DataError(message)
    pixels = rows.astype(np.float32)
    wrong = ~((pixels >= 0) & (pixels <= BRIGHTEST))  # so that NaN is wrong too
    if wrong.any():
        row, column = (int(index) for index in np.argwhere(wrong)[0])
        message = (
            f"row {row + 1}, column {column + 1} is {pixels[row, column]:g}, "
            f"a pixel is a number from 0 to {BRIGHTEST}"
        )
        raise DataError(message)
    return pixels
