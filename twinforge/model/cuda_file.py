"""CUDA's libraries as recipes and accelerators ask for them, as a pydantic model."""

from pydantic import Field

from twinforge.model.fields import CudaLibraryName
from twinforge.model.part import Part

__all__ = ["CudaPart"]


class CudaPart(Part):
    """Libraries of CUDA by NVIDIA's names; `lock` knows their packages for each base."""

    libraries: tuple[CudaLibraryName, ...] = Field(
        default=(),
        description="Such as `cublas`, `cufft`, `cudnn`: packages of the accelerator's CUDA (and "
        "cuDNN) for the base's distribution, in CUDA variants.",
    )
    dev: bool = Field(default=False, description="Whether their headers are wanted too.")
