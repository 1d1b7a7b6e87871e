"""What a build of a framework goes together with: Python, CUDA, cuDNN, glibc, CPU and GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinforge.compat.cudnn_builds import cudnn_builds, judge_cudnn_on, tell_cudnn_gpus
from twinforge.compat.facts import Fact
from twinforge.compat.machines import judge_code
from twinforge.compat.verdict import FINE, Judgement, Verdict

if TYPE_CHECKING:
    from twinforge.compat.cuda import CudaRelease
    from twinforge.compat.facts import Dotted
    from twinforge.compat.frameworks import FrameworkBuild
    from twinforge.compat.machines import Machine

__all__ = [
    "carries_cuda",
    "judge_build_on",
    "judge_cpu_arch",
    "judge_cuda",
    "judge_cudnn",
    "judge_glibc",
    "judge_newest_cudnn",
    "judge_python",
    "needs_cudnn",
]

_NO = Judgement(Verdict.IMPOSSIBLE)
_CARRIERS = frozenset({"torch", "xgboost"})
"""Their wheels hold CUDA, or ask for NVIDIA's wheels, without an extra."""
_WITHOUT_CUDNN = frozenset({"lightgbm", "xgboost"})
_STRICT_ABOUT_CUDNN = frozenset({"tensorflow", "torch"})
"""TensorFlow checks at start that cuDNN is not older than its own; torch pins its own wheel."""
_LAST_PYTHON_LOOKED_FOR = (3, 13)
"""Tags of wheels were looked at up to this Python; a list that ends with it may go on."""
_ANY_MINOR_OF_ONNX_RUNTIME = Fact(
    "ONNX Runtime built with CUDA 11.8 or 12.x is compatible with any CUDA 11.x or 12.x",
    ("https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html, Requirements",),
)
_FIRST_MAJOR_WITH_MINORS_ALIKE = 11
"""Libraries of CUDA 10 and older carry the minor version in their names (libcudart.so.10.0).

Source: https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html
"""


def carries_cuda(build: FrameworkBuild) -> bool:
    """Whether its CUDA libraries come with it, so that the image needs none."""
    return bool(build.extras) or build.framework in _CARRIERS


def needs_cudnn(build: FrameworkBuild) -> bool:
    """Whether it is a build that uses cuDNN."""
    return build.device == "cuda" and build.framework not in _WITHOUT_CUDNN


def judge_python(build: FrameworkBuild, python: str) -> Judgement:
    """Whether there is a wheel for a Python."""
    if python in build.pythons:
        if not build.is_gone:
            return FINE
        condition = f"the index has no wheel of {build}: bring one for Python {python} of your own"
        return Judgement(Verdict.CONDITIONAL, (build.about["is_gone"],), (condition,))
    if not build.pythons:
        return Judgement.unknown(f"for which Pythons there are wheels of {build}")
    if build.requires_python:
        return _NO
    newest = max(_numbers(known) for known in build.pythons)
    if newest >= _LAST_PYTHON_LOOKED_FOR and _numbers(python) > newest:
        return Judgement.unknown(f"whether there is a wheel of {build} for Python {python}")
    return _NO


def judge_cpu_arch(build: FrameworkBuild, cpu_arch: str) -> Judgement:
    """Whether there is a wheel for a CPU architecture.

    amd64 is looked at everywhere, so that what is there for another one only is not there for it.
    """
    if cpu_arch in build.cpu_archs:
        return FINE
    if build.cpu_archs and cpu_arch == "amd64":
        return _NO
    return Judgement.unknown(f"whether there is a wheel of {build} for {cpu_arch}")


def judge_glibc(build: FrameworkBuild, glibc: Dotted) -> Judgement:
    """Whether a system's glibc is new enough for the wheel."""
    if build.glibc is None:
        return Judgement.unknown(f"which glibc {build} needs")
    return FINE if build.glibc <= glibc else _NO


def judge_cuda(build: FrameworkBuild, release: CudaRelease) -> Judgement:
    """Whether a build works in an image of a CUDA release."""
    if build.device == "cpu":
        return FINE
    if build.cuda is None:
        return Judgement.unknown(f"for which CUDA {build} was built")
    built, image = build.cuda.parts, release.version.parts
    if built[0] != image[0]:
        return _NO
    same = built == image[: len(built)]
    if not same and built[0] < _FIRST_MAJOR_WITH_MINORS_ALIKE:
        return _NO
    if same or built <= image or carries_cuda(build):
        return Judgement(Verdict.WORKS, (build.about["cuda"],))
    return _judge_older_libraries(build, release)


def _judge_older_libraries(build: FrameworkBuild, release: CudaRelease) -> Judgement:
    """Whether a build works with an older minor version of its CUDA than it was built with."""
    if build.framework == "onnxruntime":
        return Judgement(Verdict.WORKS, (build.about["cuda"], _ANY_MINOR_OF_ONNX_RUNTIME))
    return Judgement.unknown(
        f"whether {build}, built for CUDA {build.cuda}, runs with the older libraries of "
        f"CUDA {release.version}"
    )


def judge_cudnn(build: FrameworkBuild, version: Dotted) -> Judgement:
    """Whether a build works with a version of cuDNN; majors are never interchangeable."""
    if not needs_cudnn(build):
        return FINE
    if build.cudnn is None:
        return Judgement.unknown(f"for which cuDNN {build} was built")
    built, image = build.cudnn.parts, version.parts
    if built[0] != image[0]:
        return _NO
    # what is compared is what both name: "9.3" is any 9.3, and patches are interchangeable
    length = min(2, len(built), len(image))
    if built[:length] <= image[:length]:
        return Judgement(Verdict.WORKS, (build.about["cudnn"],))
    if build.framework in _STRICT_ABOUT_CUDNN:
        return _NO
    return Judgement.unknown(
        f"whether {build}, built for cuDNN {build.cudnn}, runs with the older cuDNN {version}"
    )


def judge_build_on(machine: Machine, build: FrameworkBuild) -> Judgement:
    """Whether the framework's own code runs on the GPU."""
    gpu = machine.instance.gpu
    if gpu is None or build.device == "cpu":
        return FINE
    if build.compute_capabilities:
        judged = judge_code(machine, build.compute_capabilities, build.ptx, str(build))
        if judged.verdict is Verdict.IMPOSSIBLE:
            return judged
        own = (build.about["compute_capabilities"], *judged.facts)
        return Judgement(judged.verdict, own, judged.conditions)
    lowest = build.compute_capability_min
    if lowest is None:
        return Judgement.unknown(f"for which GPUs {build} holds code")
    if gpu.compute_capability < lowest:
        return _NO
    return Judgement(Verdict.WORKS, (build.about["compute_capability_min"],))


def judge_newest_cudnn(machine: Machine, build: FrameworkBuild) -> Judgement:
    """Whether the cuDNN that its extras bring, if nobody pins it, has code for the GPU."""
    gpu = machine.instance.gpu
    if gpu is None or build.cuda is None or not build.takes_newest_cudnn:
        return FINE
    major = build.cuda.major
    known = [cudnn for cudnn in cudnn_builds() if cudnn.cuda_major == major]
    if not known or judge_cudnn_on(machine, known[0]).verdict is not Verdict.IMPOSSIBLE:
        return FINE
    older = (one for one in known if judge_cudnn_on(machine, one).verdict is Verdict.WORKS)
    last = next(older, None)
    if last is None:
        return FINE  # that no cuDNN has code for it is judged elsewhere
    condition = (
        f"pin nvidia-cudnn-cu{major}<={last}: {build} brings the newest, which holds no code for "
        f"{gpu.sm}"
    )
    facts = (build.about["takes_newest_cudnn"], tell_cudnn_gpus(known[:1]))
    return Judgement(Verdict.CONDITIONAL, facts, (condition,))


def _numbers(python: str) -> tuple[int, ...]:
    return tuple(int(part) for part in python.split("."))
