"""Matching CPU and CUDA images for SageMaker from one recipe.

>>> from twinforge import Endpoint, image_uri
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twinforge.sagemaker.image_uri import image_uri
    from twinforge.sagemaker.predict import Endpoint

__all__ = ["Endpoint", "image_uri"]


def __getattr__(name: str) -> Any:
    """Import what is asked for on its first use: the SDKs behind it take a while."""
    if name == "image_uri":
        from twinforge.sagemaker.image_uri import image_uri  # noqa: PLC0415 - lazy on purpose

        return image_uri
    if name == "Endpoint":
        from twinforge.sagemaker.predict import Endpoint  # noqa: PLC0415 - lazy on purpose

        return Endpoint
    message = f"module 'twinforge' has no attribute '{name}'"
    raise AttributeError(message)
