"""What the loader does not do: libraries that a framework finds by itself, or can do without.

Every record has its source. What is not in one of them has to be found as the loader finds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "OPTIONAL",
    "PARTIAL",
    "PRELOADED",
    "Optional",
    "Partial",
    "Preloaded",
    "optional_for",
    "partial_for",
    "preloaded_for",
]


@dataclass(frozen=True, slots=True)
class Preloaded:
    """A package that loads libraries before its own extensions need them.

    ``files`` are its own, ``folders`` those it looks in, both relative to ``site-packages``.
    """

    files: str
    folders: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Optional:
    """A library that a file needs which is loaded only by who asks for it, and why that is so."""

    file: str
    needs: str
    why: str
    source: str


@dataclass(frozen=True, slots=True)
class Partial:
    """A file that has code for some GPUs only, by intention, and why that is enough."""

    file: str
    why: str
    source: str


@dataclass(frozen=True, slots=True)
class Dlopened:
    """Libraries that a framework opens by name, and what is so without them.

    ``files`` do it, relative to ``site-packages``: each library is found from one of them.
    ``names`` are by the major of the CUDA that compiled the first; of a group, one is enough.
    """

    files: tuple[str, ...]
    names: Mapping[str, tuple[tuple[str, ...], ...]]
    without: str
    source: str


_WHEELS = ("nvidia/*/lib",)

PRELOADED = (
    Preloaded(
        "torch/*",
        _WHEELS,
        "https://github.com/pytorch/pytorch/blob/main/torch/__init__.py (_preload_cuda_deps, "
        "_preload_cuda_lib)",
    ),
    Preloaded(
        "onnxruntime/capi/*",
        _WHEELS,
        "onnxruntime-gpu 1.31.1 onnxruntime/__init__.py (preload_dlls, _get_nvidia_dll_paths); "
        "the program has to call it, or import torch first",
    ),
    Preloaded(
        "nvidia/*",
        _WHEELS,
        "libraries of one of NVIDIA's wheels need those of another; whoever loads the first loads "
        "the second: the preloading of torch and of onnxruntime above",
    ),
)

_TESTS = "a test of PyTorch itself, which comes with its wheel and which nothing starts"
_TESTS_SOURCE = "read of torch 2.13.0+cpu on 2026-11-29: bin/test_shim looks nowhere for torch/lib"
_CUFILE = "reading from storage over RDMA, which only an RDMA network's own libraries make possible"
_CUFILE_SOURCE = (
    "https://github.com/pytorch/pytorch/pull/148465 (neither libtorch* nor libcufile.so is linked "
    "against it), and read of nvidia-cufile-cu12 1.13.1.3 on 2026-11-29"
)
_NVSHMEM = "a plugin of NVSHMEM for one launcher or one network, opened where that is asked for"
_NVSHMEM_SOURCE = (
    "https://docs.nvidia.com/nvshmem/api/latest/gen/env.html (NVSHMEM_BOOTSTRAP, "
    "NVSHMEM_REMOTE_TRANSPORT), and read of nvidia-nvshmem-cu12 3.4.5 on 2026-11-29"
)

OPTIONAL = (
    Optional(
        "*/onnxruntime/capi/libonnxruntime_providers_tensorrt.so",
        "libnv*.so.*",
        "the TensorRT provider, which has to be asked for by name",
        "https://onnxruntime.ai/docs/execution-providers/TensorRT-ExecutionProvider.html",
    ),
    *(
        Optional("*/torch/bin/test_*", needs, _TESTS, _TESTS_SOURCE)
        for needs in ("libc10.so", "libtorch.so", "libtorch_cpu.so")
    ),
    Optional(
        "*/triton/plugins/*",
        "libtriton.so",
        "a plugin of Triton, which opens those that TRITON_PLUGIN_PATHS names and is there by then",
        "read of triton 3.7.1 on 2026-11-29: _C/libtriton.so asks for that variable",
    ),
    *(
        Optional("*/libcufile_rdma.so.*", needs, _CUFILE, _CUFILE_SOURCE)
        for needs in ("libibverbs.so.*", "libmlx5.so.*", "librdmacm.so.*")
    ),
    *(
        Optional(f"*/nvshmem/lib/nvshmem_{plugin}.so.*", needs, _NVSHMEM, _NVSHMEM_SOURCE)
        for plugin, needs in (
            ("bootstrap_mpi", "libmpi.so.*"),
            ("bootstrap_pmix", "libpmix.so.*"),
            ("bootstrap_shmem", "liboshmem.so.*"),
            ("transport_ibdevx", "libmlx5.so.*"),
            ("transport_ibgda", "libmlx5.so.*"),
            ("transport_libfabric", "libfabric.so.*"),
            ("transport_ucx", "libuc[ps].so.*"),
        )
    ),
)

PARTIAL = (
    Partial(
        "*/torch/lib/libtorch_cuda_linalg.so",
        "its code is that of MAGMA, which is built for fewer GPUs and which torch.linalg uses for "
        "some functions only",
        "https://github.com/pytorch/pytorch/pull/190633 (sm_80/86/90/100/120 for CUDA 13), "
        "measured on torch 2.14.1, whose libtorch_cuda.so has sm_75",
    ),
)
"""Files whose code for GPUs is not for all that their package runs on; they are told, and pass."""


@dataclass(frozen=True, slots=True)
class Launched:
    """A library that a program loads by its path before it loads those that need it.

    It lies at ``place`` beside ``file``.
    """

    file: str
    needs: str
    place: str
    source: str


LAUNCHED = (
    Launched(
        "*/lib/lib*.so",
        "libjvm.so",
        "server/libjvm.so",
        "https://github.com/openjdk/jdk/blob/master/src/java.base/unix/native/libjli/java_md.c "
        "(LoadJavaVM)",
    ),
)

DLOPENED = (
    Dlopened(
        ("tensorflow/libtensorflow_framework.so.2", "tensorflow/libtensorflow_cc.so.2"),
        {
            "11": (
                ("libcudart.so.11.0",),
                ("libcublas.so.11",),
                ("libcublasLt.so.11",),
                ("libcufft.so.10",),
                ("libcusolver.so.11",),
                ("libcusparse.so.11",),
                ("libcudnn.so.8",),
            ),
            "12": (
                ("libcudart.so.12",),
                ("libcublas.so.12",),
                ("libcublasLt.so.12",),
                ("libcufft.so.11",),
                ("libcusolver.so.11",),
                ("libcusparse.so.12",),
                ("libcudnn.so.9", "libcudnn.so.8"),
            ),
        },
        "without it TensorFlow sees no GPU",
        "tensorflow third_party/xla/third_party/tsl/tsl/platform/default/dlopen_checker.cc "
        "(TryDlopenCUDALibraries) and gpu_device.cc (Skipping registering GPU devices)",
    ),
)
"""Libraries that no file says it needs: a framework opens them when it starts."""


def partial_for(file: str) -> Partial | None:
    """Return why a file need not have code for every GPU, or None."""
    return next((one for one in PARTIAL if fnmatchcase(file, one.file)), None)


def dlopened_by(file: str) -> Dlopened | None:
    """Return what a file, relative to ``site-packages``, opens by name; None where it is nothing."""
    return next((one for one in DLOPENED if one.files[0] == file), None)


def launched_for(file: str, needed: str) -> Launched | None:
    """Return why a library that a file needs is there when it is loaded, or None."""
    return next(
        (one for one in LAUNCHED if fnmatchcase(file, one.file) and needed == one.needs), None
    )


def preloaded_for(file: str) -> Iterator[Preloaded]:
    """Give the records for a file, relative to ``site-packages``."""
    return (one for one in PRELOADED if fnmatchcase(file, one.files))


def optional_for(file: str, needed: str) -> Optional | None:
    """Return why a file can do without a library, or None."""
    return next(
        (one for one in OPTIONAL if fnmatchcase(file, one.file) and fnmatchcase(needed, one.needs)),
        None,
    )
