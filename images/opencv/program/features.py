"""What a picture of a digit is told by, whatever its size: a small, upright, smooth copy of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["features"]

SIDE = 16
FLAT = 1e-2


def features(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return 256 numbers for a grey picture: bright strokes on black."""
    small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    moments = cv2.moments(small)
    if abs(moments["mu02"]) > FLAT:  # stand a slanted digit upright
        skew = moments["mu11"] / moments["mu02"]
        shear = np.array([[1, skew, -0.5 * SIDE * skew], [0, 1, 0]], dtype=np.float32)
        small = cv2.warpAffine(
            small, shear, (SIDE, SIDE), flags=cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
        )
    smooth = cv2.GaussianBlur(small, (3, 3), 0).astype(np.float32).ravel()
    length = float(np.linalg.norm(smooth)) or 1.0
    return smooth / length
