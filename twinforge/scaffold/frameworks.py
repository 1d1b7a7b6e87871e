"""What each framework needs: packages, accelerators, and how its images are smoked. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FRAMEWORKS", "Framework"]


@dataclass(frozen=True, slots=True)
class Framework:
    """What a recipe of a framework says.

    Attributes:
        name: As on the command line.
        what: What the program is, for the recipe's description.
        packages: The items of ``python.packages``, as YAML.
        builds: More such items by kind of accelerator, where there is one of the kind.
        note: What to know before its first lock, by kind of accelerator as ``builds``.
        more: Further keys of a recipe with both kinds, as YAML lines.
        system: Debian packages.
        env: Variables of the image.
        is_one_process: Whether one process serves: a framework that uses every CPU by itself would
            hold a copy of itself in each process more.
        cuda: The CUDA version of a new matrix's second accelerator, or empty for none.
        startup_s: How long a container may take until it answers.
    """

    name: str
    what: str
    packages: tuple[str, ...] = ()
    builds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    note: Mapping[str, str] = field(default_factory=dict)
    more: tuple[str, ...] = ()
    system: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    is_one_process: bool = False
    cuda: str = ""
    startup_s: int = 30


_ONE_THREAD = ("OMP_NUM_THREADS", "1")

_ALL = (
    Framework("none", "nothing but the standard library"),
    Framework("sklearn", "scikit-learn", ("scikit-learn>=1.5",), env=(_ONE_THREAD,)),
    Framework(
        "xgboost",
        "gradient-boosted trees",
        (
            "numpy",
            "twin: {cpu: xgboost-cpu, cuda: xgboost} # same import, same version",
        ),
        system=("libgomp1",),
        env=(_ONE_THREAD,),
        cuda="12.9",
    ),
    Framework(
        "keras",
        "a small network in Keras",
        (
            "keras",
            '{twin: {cpu: tensorflow-cpu, cuda: "tensorflow[and-cuda]"}, version: ~=2.21.0}',
        ),
        env=(("KERAS_BACKEND", "tensorflow"), ("TF_CPP_MIN_LOG_LEVEL", "1")),
        is_one_process=True,
        cuda="12.9",
        startup_s=120,
    ),
    Framework(
        "torch",
        "a small network in PyTorch",
        ("numpy",),
        builds={
            "cuda": (
                "package: torch==2.10.0 # the default index has the build for CUDA 12.8",
                "  when: kind == cuda",
            ),
            "cpu": (
                "package: torch==2.10.0+cpu",
                "  when: kind == cpu",
                "  index: https://download.pytorch.org/whl/cpu # or a mirror of it",
            ),
        },
        note={
            "cpu": "lock asks PyTorch's own index for the build for CPUs; where that is out of reach, "
            "it says how to go on"
        },
        more=(
            "parity:",
            '  exempt: {torch: "one version; the build for CPUs is marked in it, as +cpu"}',
            "# Where that index is out of reach, this line makes the images for GPUs without the others:",
            "# shelved: [{when: kind == cpu, reason: PyTorch's own index is out of reach}]",
        ),
        is_one_process=True,
        cuda="12.8",
        startup_s=60,
    ),
    Framework(
        "onnx",
        "scikit-learn, served by ONNX Runtime",
        (
            "numpy",
            "scikit-learn>=1.5",
            "skl2onnx",
            'twin: {cpu: onnxruntime, cuda: "onnxruntime-gpu[cuda, cudnn]"}',
            '  version: ">=1.24,<1.27" # the last for CUDA 12',
        ),
        env=(_ONE_THREAD,),
        cuda="12.9",
        startup_s=60,
    ),
)

FRAMEWORKS = MappingProxyType({framework.name: framework for framework in _ALL})
"""By name, the simplest first."""
