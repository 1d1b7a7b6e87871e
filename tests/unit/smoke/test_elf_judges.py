"""Each rule on an image that keeps all of them, and on one that breaks just that rule."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.unit.smoke.elves import SITE, Elf, binaries, debian, fatbin, wheel
from twinforge.compat.instances import find_instance
from twinforge.compat.machines import Machine
from twinforge.errors import SmokeError
from twinforge.smoke.device import DeviceAsked
from twinforge.smoke.elf.architectures import judge_architectures
from twinforge.smoke.elf.closure import judge_closure
from twinforge.smoke.elf.device import judge_cpu, judge_cuda
from twinforge.smoke.elf.driver import judge_driver
from twinforge.smoke.elf.duplicates import judge_duplicates
from twinforge.smoke.elf.pins import judge_pins

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twinforge.smoke.elf.binaries import Binaries

Files = dict[str, Elf | bytes]

XGBOOST = "xgboost/lib/libxgboost.so"
CUDART = "nvidia/cuda_runtime/lib/libcudart.so.12"
CUDNN = "nvidia/cudnn/lib/libcudnn_graph.so.9"
NCCL = "nvidia/nccl/lib/libnccl.so.2"
CODE = fatbin(("cubin", 70, 0), ("cubin", 80, 0), ("ptx", 90, 0), isa=(8, 8), cuda=129)
NCCL_CODE = fatbin(("cubin", 70, 0), ("cubin", 80, 0), ("cubin", 90, 0), cuda=129)
NCCL_2_32_3 = bytes.fromhex("4885ff7409c707a35a000031c0c3")
CUDNN_9_28_0 = bytes.fromhex("001c0900")
LIB = "/usr/lib/x86_64-linux-gnu"

CPU_IMAGE: Files = {
    f"{SITE}/xgboost/lib/libxgboost.so": Elf(soname="libxgboost.so"),
    **wheel("xgboost_cpu", "3.2.0", [XGBOOST]),
}
CUDA_IMAGE: Files = {
    f"{SITE}/{XGBOOST}": Elf(
        needed=["libcudart.so.12"], runpath="$ORIGIN/../../nvidia/cuda_runtime/lib", fatbin=CODE
    ),
    f"{SITE}/{CUDART}": Elf(soname="libcudart.so.12"),
    f"{SITE}/{CUDNN}": Elf(
        soname="libcudnn_graph.so.9", symbols={"cudnn_graph_version": CUDNN_9_28_0}
    ),
    f"{SITE}/{NCCL}": Elf(
        soname="libnccl.so.2", symbols={"ncclGetVersion": NCCL_2_32_3}, fatbin=NCCL_CODE
    ),
    **wheel("xgboost", "3.2.0", [XGBOOST]),
    **wheel("nvidia_cuda_runtime_cu12", "12.9.79", [CUDART]),
    **wheel("nvidia_cudnn_cu12", "9.28.0.42", [CUDNN]),
    **wheel("nvidia_nccl_cu12", "2.32.3", [NCCL]),
}
WHEELS = {
    "xgboost": "3.2.0",
    "nvidia-cuda-runtime-cu12": "12.9.79",
    "nvidia-cudnn-cu12": "9.28.0.42",
    "nvidia-nccl-cu12": "2.32.3",
}
ASKED = DeviceAsked(
    cuda="12.9",
    cudnn="9.28",
    wheels=WHEELS,
    with_cuda=frozenset({"xgboost"}),
    machines=(Machine(find_instance("ml.p3.2xlarge"), "training"),),
)


def cuda_image(files: Mapping[str, Elf | bytes] | None = None, *without: str) -> Binaries:
    kept = {path: file for path, file in CUDA_IMAGE.items() if path not in without}
    return binaries({**kept, **(files or {})})


def every_rule(image: Binaries, asked: DeviceAsked) -> dict[str, Callable[[], str]]:
    return {
        "complete": lambda: judge_closure(image.tree, image.closure),
        "release": lambda: judge_cuda(image, asked.cuda, asked.with_cuda),
        "pins": lambda: judge_pins(image, asked),
        "once": lambda: judge_duplicates(image, asked.apt),
        "architectures": lambda: judge_architectures(image, asked.machines),
        "no-driver": lambda: judge_driver(image),
    }


def broken(image: Binaries, asked: DeviceAsked = ASKED) -> dict[str, str]:
    """Return the rules that an image breaks, with what is said of it."""
    found = {}
    for name, judge in every_rule(image, asked).items():
        try:
            judge()
        except SmokeError as error:
            found[name] = error.message
    return found


def refusal(judge: Callable[[], str]) -> str:
    with pytest.raises(SmokeError) as caught:
        judge()
    return caught.value.message


def test_an_image_that_keeps_all_rules_says_what_is_in_it() -> None:
    said = {name: judge() for name, judge in every_rule(cuda_image(), ASKED).items()}
    assert said == {
        "complete": "4 binaries find what they need",
        "release": ("for CUDA 12.9: xgboost==3.2.0 by 12.9"),
        "pins": (
            "as pinned: nvidia-cuda-runtime-cu12==12.9.79, "
            "nvidia-cudnn-cu12==9.28.0.42 (by its files 9.28.0), "
            "nvidia-nccl-cu12==2.32.3 (by its files 2.32.3)"
        ),
        "once": "3 of CUDA's libraries, each once",
        "architectures": "2 files with code for sm_70 (ml.p3.2xlarge)",
        "no-driver": "no part of NVIDIA's driver",
    }


def test_a_cpu_image_is_free_of_cuda() -> None:
    assert judge_cpu(binaries(CPU_IMAGE)) == "1 binaries, none of them with CUDA"


@pytest.mark.parametrize(
    ("elf", "said"),
    [
        (Elf(needed=["libcudart.so.12", "libm.so.6"]), "needs libcudart.so.12"),
        (Elf(needed=["libcuda.so.1"]), "needs libcuda.so.1"),
        (Elf(fatbin=CODE), "holds code for GPUs (sm_70, sm_80, PTX of 9.0)"),
        (Elf(fatbin=CODE, is_dummy=True), "holds a fat binary"),
        (Elf(soname="libnccl.so.2"), "is one of CUDA's"),
    ],
)
def test_a_cpu_image_with_anything_of_cuda_fails(elf: Elf, said: str) -> None:
    image = binaries({**CPU_IMAGE, f"{SITE}/{XGBOOST}": elf})
    assert refusal(lambda: judge_cpu(image)) == f"{SITE}/{XGBOOST} (xgboost-cpu==3.2.0) {said}"


def test_a_missing_library_breaks_only_completeness() -> None:
    assert broken(cuda_image(None, f"{SITE}/{CUDART}")) == {
        "complete": f"{SITE}/{XGBOOST} needs libcudart.so.12, which is not found"
    }


@pytest.mark.parametrize(
    ("needed", "cuda", "is_right"),
    [
        ("libcudart.so.12", "12.9", True),
        ("libcudart.so.11.0", "11.8", True),
        ("libcublas.so.11", "11.8", True),
        ("libcublas.so.11", "12.9", False),
        ("libcudart.so.9.0", "9.0", True),
        ("libcudart.so.9.0", "9.2", False),
        ("libcublas.so.10", "10.2", True),
        ("libcublas.so.10.0", "10.1", False),
        ("libcufft.so.11", "12.9", True),
        ("libcusolver.so.11", "12.9", True),
        ("libcudnn.so.8", "12.9", True),
        ("libcuda.so.1", "12.9", True),
    ],
)
def test_a_soname_says_for_which_cuda_it_is(needed: str, cuda: str, *, is_right: bool) -> None:
    image = binaries({"/opt/one.abi3.so": Elf(needed=[needed])})
    if is_right:
        assert judge_cuda(image, cuda)
    else:
        said = refusal(lambda: judge_cuda(image, cuda))
        assert said == f"/opt/one.abi3.so (no package) needs {needed}, which is not of CUDA {cuda}"


def test_code_of_another_major_s_compiler_breaks_only_the_release() -> None:
    code = fatbin(("cubin", 70, 0), cuda=118)
    image = cuda_image({f"{SITE}/{XGBOOST}": replace(xgboost(), fatbin=code)})
    assert broken(image) == {
        "release": f"{SITE}/{XGBOOST} (xgboost==3.2.0) was compiled by CUDA 11.8, not 12.9"
    }


def test_a_library_of_another_release_breaks_the_release_although_nothing_needs_it() -> None:
    files: Files = {"/opt/lib/libcublas.so.11": Elf(soname="libcublas.so.11")}
    assert broken(cuda_image(files)) == {
        "release": "/opt/lib/libcublas.so.11 (no package) is not of CUDA 12.9"
    }


def test_what_nvidia_compiled_a_library_by_is_its_own_affair() -> None:
    # libcufft11 11.2.1.3~12.4.1-2 of Debian 13 has code of CUDA 11.8
    code = fatbin(("cubin", 70, 0), cuda=118)
    files: Files = {f"{LIB}/libcufft.so.11": Elf(soname="libcufft.so.11", fatbin=code)}
    assert broken(cuda_image(files)) == {}


def test_older_code_beside_that_of_the_right_compiler_is_no_mistake() -> None:
    code = fatbin(("cubin", 70, 0), cuda=118) + fatbin(("cubin", 80, 0), cuda=126)
    assert broken(cuda_image({f"{SITE}/{XGBOOST}": replace(xgboost(), fatbin=code)})) == {}


@pytest.mark.parametrize(
    ("name", "version"), [("torch", "2.6.0+cu118"), ("nvidia_nvtx_cu11", "11.8.86")]
)
def test_a_wheel_s_metadata_says_for_which_cuda_it_is(name: str, version: str) -> None:
    said = broken(cuda_image(wheel(name, version, [f"{name}/x.py"])))
    assert said == {
        "release": f"the wheel {name.replace('_', '-')}=={version} is for CUDA 11, not 12.9"
    }


def test_a_framework_built_for_the_cpu_breaks_only_the_release() -> None:
    assert broken(cuda_image({f"{SITE}/{XGBOOST}": Elf()})) == {
        "release": "the wheel xgboost==3.2.0 holds nothing of CUDA: it is a build for the CPU"
    }


def test_a_wheel_that_is_no_framework_may_be_without_cuda() -> None:
    files: Files = {
        f"{SITE}/numpy/one.abi3.so": Elf(),
        **wheel("numpy", "2.4.6", ["numpy/one.abi3.so"]),
    }
    assert broken(cuda_image(files)) == {}


def test_a_cudnn_that_is_not_the_accelerator_s_breaks_only_the_pins() -> None:
    assert broken(cuda_image(), replace(ASKED, cudnn="9.1")) == {
        "pins": "cudnn of nvidia-cudnn-cu12==9.28.0.42 is 9.28, the accelerator's is 9.1"
    }


def test_a_runtime_of_another_release_breaks_only_the_pins() -> None:
    assert broken(cuda_image(), replace(ASKED, cuda="12.4")) == {
        "pins": "cudart of nvidia-cuda-runtime-cu12==12.9.79 is 12.9, the accelerator's is 12.4"
    }


def test_a_file_that_is_not_what_its_package_says_breaks_only_the_pins() -> None:
    other = Elf(
        soname="libcudnn_graph.so.9",
        symbols={"cudnn_graph_version": bytes.fromhex("00010900")},
    )
    said = broken(cuda_image({f"{SITE}/{CUDNN}": other}))
    assert set(said) == {"pins"}
    assert said["pins"].splitlines() == [
        f"{SITE}/{CUDNN} (nvidia-cudnn-cu12==9.28.0.42) says of itself that it is 9.1.0",
        "cudnn of nvidia-cudnn-cu12==9.28.0.42 is 9.1, the accelerator's is 9.28",
    ]


def test_a_library_that_a_framework_carries_need_not_have_its_version() -> None:
    cupti = "triton/backends/nvidia/lib/cupti/libcupti.so.2024.1.0"
    image = cuda_image(
        {
            f"{SITE}/{cupti}": Elf(soname="libcupti.so.12"),
            **wheel("triton", "3.2.0", [cupti]),
        }
    )
    asked = replace(ASKED, wheels={**WHEELS, "triton": "3.2.0"})
    assert "pins" not in broken(image, asked)
    assert (
        "triton==3.2.0 is there, pinned is 3.1.0"
        in broken(image, replace(ASKED, wheels={**WHEELS, "triton": "3.1.0"}))["pins"]
    )


def test_a_package_that_is_not_the_locked_one_breaks_only_the_pins() -> None:
    asked = replace(ASKED, wheels={**WHEELS, "nvidia-nccl-cu12": "2.27.5"})
    assert broken(cuda_image(), asked) == {
        "pins": "nvidia-nccl-cu12==2.32.3 is there, pinned is 2.27.5"
    }


@pytest.mark.parametrize(
    ("path", "package", "version", "cuda", "said"),
    [
        ("libcudart.so.11.8.89", "libcudart11.0", "11.8.89~11.8.0-5~deb12u1", "11.8", ""),
        (
            "libcudart.so.11.8.89",
            "libcudart11.0",
            "11.7.99~11.7.1-4",
            "11.8",
            "says of itself that it is 11.8.89",
        ),
        (
            "libcudart.so.11.7.99",
            "libcudart11.0",
            "11.7.99~11.7.1-4",
            "11.8",
            "is 11.7, the accelerator's is 11.8",
        ),
    ],
)
def test_debian_s_packages_are_compared_by_their_upstream_version(
    path: str, package: str, version: str, cuda: str, said: str
) -> None:
    image = binaries(
        {
            f"{LIB}/{path}": Elf(soname="libcudart.so.11.0"),
            **debian({package: (version, [f"{LIB}/{path}"])}),
        },
        {f"{LIB}/libcudart.so.11.0": path},
    )
    asked = DeviceAsked(cuda=cuda, apt={package: version})
    if said:
        assert said in refusal(lambda: judge_pins(image, asked))
    else:
        told = judge_pins(image, asked)
        assert told == f"as pinned: {package}={version} (by its files 11.8.89)"


@pytest.mark.parametrize(
    ("path", "soname", "package", "version"),
    [
        (
            "libcufft.so.10.9.0.58",
            "libcufft.so.10",
            "libcufft10",
            "11.1.1+~10.9.0.58~11.8.0-5~deb12u1",
        ),
        (
            "libcurand.so.10.3.5.147",
            "libcurand.so.10",
            "libcurand10",
            "11.1.1+~10.3.5.147~12.4.1-2",
        ),
        ("libcufft.so.11.2.1.3", "libcufft.so.11", "libcufft11", "11.2.1.3~12.4.1-2"),
    ],
)
def test_debian_s_packages_may_have_the_library_s_version_second(
    path: str, soname: str, package: str, version: str
) -> None:
    files: Files = {
        f"{LIB}/{path}": Elf(soname=soname),
        **debian({package: (version, [f"{LIB}/{path}"])}),
    }
    told = judge_pins(binaries(files), DeviceAsked(cuda="12.4", apt={package: version}))
    assert told.startswith(f"as pinned: {package}={version} (by its files ")


def test_a_second_copy_breaks_only_that_rule_and_says_what_it_costs() -> None:
    copy = f"{LIB}/libcudart.so.12.9.79"
    files: Files = {
        copy: Elf(soname="libcudart.so.12", elsewhere=bytes(3_000_000)),
        **debian({"cuda-cudart-12-9": ("12.9.79-1", [copy])}),
    }
    asked = replace(ASKED, apt={"cuda-cudart-12-9": "12.9.79-1"})
    assert broken(cuda_image(files), asked) == {
        "once": (
            "3 MB are there twice: don't ask for the Debian packages cuda-cudart-12-9\n"
            f"libcudart is there 2 times: {SITE}/{CUDART} (nvidia-cuda-runtime-cu12==12.9.79) "
            f"is used most; {copy} (cuda-cudart-12-9=12.9.79-1) weighs 3 MB"
        )
    }


def test_a_copy_that_the_base_brings_is_avoided_by_another_base() -> None:
    copy = f"{LIB}/libcudart.so.12.9.79"
    owned = debian({"cuda-cudart-12-9": ("12.9.79-1", [copy])})
    for records in (owned, {}):
        image = cuda_image({copy: Elf(soname="libcudart.so.12"), **records})
        said = refusal(lambda image=image: judge_duplicates(image, {}))  # type: ignore[misc]  # mypy can't infer a lambda's default
        assert "take a base without " in said


def test_a_copy_that_nothing_uses_is_the_one_that_is_spare() -> None:
    copy = f"{LIB}/libcudart.so.12.9.79"
    image = binaries(
        {
            f"{SITE}/{CUDART}": Elf(soname="libcudart.so.12"),
            **wheel("nvidia_cuda_runtime_cu12", "12.9.79", [CUDART]),
            copy: Elf(soname="libcudart.so.12"),
            **debian({"cuda-cudart-12-9": ("12.9.79-1", [copy])}),
            "/opt/one.abi3.so": Elf(needed=["libcudart.so.12"]),
        },
        {f"{LIB}/libcudart.so.12": "libcudart.so.12.9.79"},
    )
    said = refusal(lambda: judge_duplicates(image, {}))
    assert "don't install the wheels nvidia-cuda-runtime-cu12" in said


def test_a_link_to_a_library_is_no_second_copy() -> None:
    path = f"{LIB}/libcudart.so.12.9.79"
    image = binaries(
        {path: Elf(soname="libcudart.so.12")},
        {f"{LIB}/libcudart.so.12": "libcudart.so.12.9.79", "/opt/libcudart.so": path},
    )
    assert judge_duplicates(image, {}) == "1 of CUDA's libraries, each once"


@pytest.mark.parametrize(
    ("instance", "said"),
    [
        ("ml.p3.2xlarge", "2 files with code for sm_70 (ml.p3.2xlarge)"),
        # code for 8.0 runs on 8.6, and that of 7.0 on 7.5
        ("ml.g5.xlarge", "2 files with code for sm_86 (ml.g5.xlarge)"),
        ("ml.g4dn.xlarge", "2 files with code for sm_75 (ml.g4dn.xlarge)"),
        (
            "ml.p5.48xlarge",
            (
                "2 files with code for sm_90 (ml.p5.48xlarge)\n"
                "sm_90 (ml.p5.48xlarge): PTX in libxgboost.so is compiled when it is loaded"
            ),
        ),
    ],
)
def test_code_runs_on_newer_minors_and_ptx_on_all_that_is_newer(instance: str, said: str) -> None:
    machines = (Machine(find_instance(instance), "training"),)
    assert judge_architectures(cuda_image(), machines) == said


def test_a_gpu_that_is_too_old_breaks_only_the_architectures() -> None:
    machines = (Machine(find_instance("ml.p2.xlarge"), "training"),)
    said = broken(cuda_image(), replace(ASKED, machines=machines))
    assert set(said) == {"architectures"}
    assert said["architectures"].splitlines() == [
        (
            "nvidia-nccl-cu12==2.32.3 has no code for sm_37 (ml.p2.xlarge): "
            "libnccl.so.2 (sm_70, sm_80, sm_90)"
        ),
        (
            "xgboost==3.2.0 has no code for sm_37 (ml.p2.xlarge): "
            "libxgboost.so (sm_70, sm_80, PTX of 9.0)"
        ),
    ]


def test_ptx_of_a_newer_gpu_is_of_no_use() -> None:
    code = fatbin(("ptx", 90, 0))
    image = cuda_image({f"{SITE}/{XGBOOST}": replace(xgboost(), fatbin=code)})
    assert set(broken(image)) == {"architectures"}


def test_code_for_one_gpu_alone_does_not_run_on_a_newer_one() -> None:
    code = fatbin(("cubin", 80, 0x100000))
    image = cuda_image({f"{SITE}/{XGBOOST}": replace(xgboost(), fatbin=code)})
    machines = {
        name: (Machine(find_instance(name), "training"),)
        for name in ("ml.p4d.24xlarge", "ml.g5.xlarge")
    }
    assert judge_architectures(image, machines["ml.p4d.24xlarge"])
    assert "xgboost==3.2.0 has no code for sm_86" in refusal(
        lambda: judge_architectures(image, machines["ml.g5.xlarge"])
    )


def test_instances_without_a_gpu_ask_for_no_code() -> None:
    machines = (Machine(find_instance("ml.m5.xlarge"), "hosting"),)
    assert judge_architectures(cuda_image(), machines) == (
        "the matrix names no GPU that is served; libnccl.so.2: sm_70, sm_80, sm_90; "
        "libxgboost.so: sm_70, sm_80, PTX of 9.0"
    )


def test_code_that_can_not_be_read_is_told() -> None:
    image = cuda_image({f"{SITE}/{XGBOOST}": replace(xgboost(), is_dummy=True)})
    assert judge_architectures(image, ASKED.machines).splitlines()[1:] == [
        f"for what {SITE}/{XGBOOST} was compiled can't be told"
    ]


def test_a_part_that_is_built_for_fewer_gpus_is_told_and_passes() -> None:
    lib = f"{SITE}/torch/lib"
    image = binaries(
        {
            f"{lib}/libtorch_cuda.so": Elf(fatbin=fatbin(("cubin", 75, 0))),
            f"{lib}/libtorch_cuda_linalg.so": Elf(fatbin=fatbin(("cubin", 80, 0))),
        }
    )
    machines = (Machine(find_instance("ml.g4dn.xlarge"), "hosting"),)
    assert "no code in libtorch_cuda_linalg.so; its code is that of MAGMA" in (
        judge_architectures(image, machines)
    )


@pytest.mark.parametrize(
    "path",
    [
        f"{LIB}/libcuda.so.535.104.05",
        f"{LIB}/libnvidia-ml.so.535.104.05",
        "/usr/bin/nvidia-smi",
        "/lib/modules/6.1.0/kernel/drivers/video/nvidia-uvm.ko.xz",
    ],
)
def test_a_part_of_the_driver_breaks_only_that_rule(path: str) -> None:
    assert broken(cuda_image({path: b"#!"})) == {
        "no-driver": f"{path} (no package) is part of NVIDIA's driver, which the host brings"
    }


def test_stubs_and_forward_compatibility_are_no_driver() -> None:
    image = cuda_image(
        {
            "/usr/local/cuda-12.9/targets/x86_64-linux/lib/stubs/libcuda.so": Elf(),
            "/usr/local/cuda-12.9/compat/libcuda.so.575.57.08": Elf(),
        }
    )
    assert judge_driver(image) == "no part of NVIDIA's driver; 1 files of forward compatibility"


def xgboost() -> Elf:
    elf = CUDA_IMAGE[f"{SITE}/{XGBOOST}"]
    assert isinstance(elf, Elf)
    return elf
