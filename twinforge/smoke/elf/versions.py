"""What NVIDIA's libraries are called, and how each tells its own version without being run.

The function that a program would ask for the version holds it as a number in its code; cuDNN has it
as data. Where exactly one number in the function can be a version of the library's own major, it
is that. All of it was measured on NVIDIA's wheels against the version in their name.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "CUDA_RELEASED",
    "DRIVER",
    "Teller",
    "family_of",
    "is_driver",
    "major_of",
    "number_of",
    "read_version",
    "teller_of",
]

CUDA_RELEASED = frozenset({"cudart", "cublas", "cublasLt", "nvrtc", "nvJitLink"})
"""Families whose number after ``.so`` is the major (CUDA 10 and older: the release) of CUDA.

Others count for themselves: ``libcufft.so.11`` and ``libcusolver.so.11`` are of CUDA 12.
Source: the libraries in the wheels of CUDA 11.8, 12.9 and 13.0, and in Debian's archive (11.8, 12.4)
"""

_FAMILIES = (
    "cudart",
    "cublasLt",
    "cublas",
    "nvblas",
    "cufft",
    "cufftw",
    "cufile",
    "curand",
    "cusolver",
    "cusolverMg",
    "cusparse",
    "cusparseLt",
    "nvrtc",
    "nvJitLink",
    "nvToolsExt",
    "nccl",
    "cupti",
    "nvjpeg",
    "nvshmem_host",
    "nvinfer",
    "nvinfer_plugin",
    "nvvm",
    "nvfatbin",
    "nvperf_host",
    "nvperf_target",
    "cuinj64",
    "cudla",
    "cudss",
    "cutensor",
    "cutensorMg",
)
_NAMED = re.compile(
    rf"lib(?P<family>{'|'.join(_FAMILIES)}|cudnn(?:_[a-z_]+)?|npp[a-z]+|nvrtc-builtins)"
    r"(?:-[0-9a-f]{8})?\.so(?:\.(?P<number>[0-9.]+))?"
)

DRIVER = re.compile(
    r"lib(?:cuda|cudadebugger|nvcuvid|nvoptix|nvidia-(?!container)[a-z0-9-]+|vdpau_nvidia"
    r"|(?:GLX|EGL|GLESv1_CM|GLESv2)_nvidia)\.so(?:\.[0-9.]+)?"
)
"""Libraries that come with the driver, and so from the host.

Source: https://github.com/NVIDIA/libnvidia-container/blob/main/src/nvc_info.c (utility_libs,
compute_libs, video_libs, graphics_libs, graphics_libs_glvnd)
"""


@dataclass(frozen=True, slots=True)
class Teller:
    """Where a library keeps its version.

    ``form`` is how the number is made of the version: ``thousands`` (11705 is 11.7.5),
    ``ten thousands`` (120903 is 12.9.3) or ``bytes`` (0x091c00 is 9.28.0), which is data.
    """

    library: re.Pattern[str]
    symbol: str
    form: Literal["thousands", "ten thousands", "bytes"]
    source: str


_TELLERS = (
    Teller(
        re.compile(r"libcudnn_graph\.so\.[0-9]+"),
        "cudnn_graph_version",
        "bytes",
        "nvidia-cudnn-cu12 9.28.0.42",
    ),
    Teller(
        re.compile(r"libcudnn_(?:ops|ops_infer)\.so\.[0-9]+"),
        "cudnn_ops_infer_version",
        "bytes",
        "nvidia-cudnn-cu12 9.28.0.42",
    ),
    Teller(
        re.compile(r"libnccl\.so\.2"),
        "ncclGetVersion",
        "ten thousands",
        "nvidia-nccl-cu12 2.32.3",
    ),
    Teller(
        re.compile(r"libcublasLt\.so\.[0-9]+"),
        "cublasLtGetVersion",
        "ten thousands",
        "nvidia-cublas-cu12 12.9.3.13",
    ),
    Teller(
        re.compile(r"libcusolver\.so\.[0-9]+"),
        "cusolverGetVersion",
        "thousands",
        "nvidia-cusolver-cu12 11.7.5.82",
    ),
)


def family_of(name: str) -> str:
    """Return which of CUDA's libraries a file or soname is, or nothing.

    A wheel that carries a copy of its own may have a checksum in its name.

    >>> family_of("libcublasLt.so.12"), family_of("libcudart-d0da41ae.so.11.0"), family_of("libm.so.6")
    ('cublasLt', 'cudart', '')
    """
    named = _NAMED.fullmatch(name)
    return named["family"] if named else ""


def major_of(name: str) -> str:
    """Return the number after ``.so`` without its minor parts, or nothing.

    >>> major_of("libcudart.so.11.8.89"), major_of("libcudart.so")
    ('11', '')
    """
    return number_of(name).partition(".")[0]


def number_of(name: str) -> str:
    """Return all numbers after ``.so``: the whole version, where the file is named by it.

    >>> number_of("libcudart.so.11.8.89")
    '11.8.89'
    """
    named = _NAMED.fullmatch(name)
    return (named["number"] or "") if named else ""


def is_driver(name: str) -> bool:
    """Whether a library comes with the driver, from the host."""
    return DRIVER.fullmatch(name) is not None


def teller_of(soname: str) -> Teller | None:
    """Return where a library keeps its version, or None where it can't be told."""
    return next((one for one in _TELLERS if one.library.fullmatch(soname)), None)


def read_version(teller: Teller, soname: str, body: bytes) -> str:
    """Return the version in the data or the code of a library, or nothing where it is not clear.

    >>> teller = teller_of("libcudnn_graph.so.9")
    >>> read_version(teller, "libcudnn_graph.so.9", bytes.fromhex("001c0900"))
    '9.28.0'
    """
    major = int(major_of(soname) or 0)
    if teller.form == "bytes":
        number = int.from_bytes(body[:4], "little")
        parts = (number >> 16, number >> 8 & 255, number & 255)
        return ".".join(map(str, parts)) if parts[0] == major else ""
    step = 1000 if teller.form == "thousands" else 10_000
    numbers = {number for number in _numbers(body) if number // step == major}
    if len(numbers) != 1:
        return ""
    rest = numbers.pop() % step
    return f"{major}.{rest // 100}.{rest % 100}"


def _numbers(body: bytes) -> set[int]:
    return {struct.unpack_from("<I", body, place)[0] for place in range(len(body) - 3)}
