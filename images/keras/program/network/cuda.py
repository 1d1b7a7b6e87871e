"""Whether TensorFlow's CUDA libraries are whole, which shows without a GPU.

TensorFlow looks for them when it finds a driver, and goes on without a GPU when one is missing. So the
loader is asked beforehand: it binds every symbol and runs no code.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import tensorflow as tf

__all__ = ["ABSENT", "NO_DRIVER", "WORKS", "CudaError", "cuda_state"]

ABSENT = "not in this build"
NO_DRIVER = "only the driver is missing"
WORKS = "works"

DRIVER = "libcuda.so.1"
PARTS = ("cublas", "cuda_cupti", "cuda_runtime", "cudnn", "cufft", "cusolver", "cusparse", "nccl")


class CudaError(RuntimeError):
    """The image holds TensorFlow for CUDA, and not all that it needs."""


def cuda_state() -> str:
    """Return what is to be said of CUDA: ``ABSENT``, ``NO_DRIVER`` or ``WORKS``.

    Raises:
        CudaError: A library is missing, or lacks a symbol.
    """
    if not tf.test.is_built_with_cuda():
        return ABSENT
    folder = Path(tf.__file__).parent.parent / "nvidia"
    for part in PARTS:
        libraries = sorted((folder / part / "lib").glob("*.so*"))
        if not libraries:
            message = f"TensorFlow needs '{part}', and no wheel brings it"
            raise CudaError(message)
        for library in libraries:
            _bind(library)
    return WORKS if tf.config.list_physical_devices("GPU") else NO_DRIVER


def _bind(library: Path) -> None:
    """Let the loader bind all symbols of a library."""
    done = subprocess.run(
        ["/usr/bin/ldd", "-r", str(library)], capture_output=True, text=True, check=False
    )
    lines = (done.stdout + done.stderr).splitlines()
    missing = {line.split()[0] for line in lines if line.endswith("=> not found")} - {DRIVER}
    symbols = {found[1] for line in lines if (found := re.match(r"undefined symbol: (\w+)", line))}
    if done.returncode or missing or symbols:
        what = ", ".join(sorted(missing or symbols)) or done.stderr.strip()
        message = f"'{library.name}' can't be loaded, for want of {what}"
        raise CudaError(message)
