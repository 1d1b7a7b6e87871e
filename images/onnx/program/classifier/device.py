"""Whether the CUDA provider of ONNX Runtime can work here.

ONNX Runtime falls back to the CPU when a library is missing, and says so in a warning that nobody
reads; where there is no driver, its provider may end the process while it is loaded. So the loader is
asked instead, which binds every symbol and runs no code: a missing library is an error, a missing
driver is not.
"""

from __future__ import annotations

import ctypes
import re
import subprocess
from pathlib import Path

import onnxruntime

__all__ = ["ABSENT", "NO_DRIVER", "WORKS", "CudaError", "cuda_provider"]

ABSENT = "not in this build"
NO_DRIVER = "only the driver is missing"
WORKS = "works"

DRIVER = "libcuda.so.1"
# ONNX Runtime hands this one to its providers when it loads them
OF_THE_HOST = frozenset({"Provider_GetHost"})


class CudaError(RuntimeError):
    """The image holds the CUDA provider, and not all that it needs."""


def cuda_provider() -> str:
    """Return what is to be said of the CUDA provider: ``ABSENT``, ``NO_DRIVER`` or ``WORKS``.

    Raises:
        CudaError: A library of the provider or of cuDNN is missing, or lacks a symbol.
    """
    folder = Path(onnxruntime.__file__).parent / "capi"
    provider = folder / "libonnxruntime_providers_cuda.so"
    if not provider.is_file():
        return ABSENT
    needed = _bind(provider)
    cudnn = next((path for name, path in needed.items() if name.startswith("libcudnn.so")), None)
    if cudnn is None:
        message = f"'{provider.name}' does not ask for cuDNN"
        raise CudaError(message)
    # cuDNN finds its other parts by itself, and only when a network needs them
    for part in sorted(cudnn.parent.glob("libcudnn_*.so.*")):
        _bind(part)
    return WORKS if _gpus() else NO_DRIVER


def _bind(library: Path) -> dict[str, Path]:
    """Let the loader bind all symbols of a library; return what it needs, by name."""
    done = subprocess.run(
        ["/usr/bin/ldd", "-r", str(library)], capture_output=True, text=True, check=False
    )
    lines = (done.stdout + done.stderr).splitlines()
    missing = [line.split()[0] for line in lines if line.endswith("=> not found")]
    symbols = {found[1] for line in lines if (found := re.match(r"undefined symbol: (\w+)", line))}
    symbols -= OF_THE_HOST
    if done.returncode or missing or symbols:
        what = ", ".join(missing or sorted(symbols)) or done.stderr.strip()
        message = f"'{library.name}' can't be loaded, for want of {what}"
        raise CudaError(message)
    pairs = (line.split() for line in lines if " => /" in line)
    return {name: Path(path) for name, _, path, *_ in pairs}


def _gpus() -> int:
    """Count the GPUs that the driver shows; without a driver there are none."""
    try:
        driver = ctypes.CDLL(DRIVER)
    except OSError:
        return 0
    count = ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value
