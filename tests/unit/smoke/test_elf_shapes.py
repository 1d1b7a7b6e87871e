"""Binaries as packages of npm, Debian and NVIDIA really have them, and few images do."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from tests.unit.smoke.elves import AARCH64, I386, SITE, Elf, binaries, cache, debian, fatbin
from twinforge.compat.facts import Dotted
from twinforge.compat.instances import find_instance
from twinforge.compat.machines import Machine
from twinforge.errors import SmokeError
from twinforge.smoke.elf.architectures import judge_architectures
from twinforge.smoke.elf.closure import judge_closure
from twinforge.smoke.elf.device import judge_cpu
from twinforge.smoke.elf.driver import judge_driver
from twinforge.smoke.elf.fatbin import read_fatbin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Files = dict[str, Elf | bytes]

LIB = "/usr/lib/x86_64-linux-gnu"
HOME: Files = {
    f"{LIB}/libc.so.6": Elf(soname="libc.so.6"),
    "/usr/bin/node": Elf(needed=["libc.so.6"], is_program=True),
}
NODE = "/program/node_modules/leveldown/prebuilds"
CUDA_MACHINE = 190

# The first bytes of what `fatbinary --concat --compress-all` of CUDA 13.5 makes of three cubins, for
# sm_75, sm_80 and sm_90a: without the code, which is one piece for all three.
CONCATENATED = bytes.fromhex(
    "50ed55ba01001000700600000000000000010101080100006805000000000000610500004000000001000000"
    "00000000000000000000000011800000000000000000000000000000c02300000000000003000000c8000000"
    "0200010100000000280b0000000000000000000000000000080001004b000000000000000000000011000000"
    "000000000000000000000000000000000000000002000101280b0000a80b0000000000000000000000000000"
    "0800010050000000000000000000000011000000000000000000000000000000000000000000000002000101"
    "d0160000f00c0000000000000000000000000000080001005a00000000000000000000001100100000000000"
    "00000000000000000000000000000000"
)


def complete(files: Mapping[str, Elf | bytes]) -> str:
    image = binaries({**HOME, **files})
    return judge_closure(image.tree, image.closure)


def refusal(judge: Callable[[], str]) -> str:
    with pytest.raises(SmokeError) as caught:
        judge()
    return caught.value.message


def capabilities(*texts: str) -> frozenset[Dotted]:
    return frozenset(map(Dotted.parse, texts))


def test_entries_that_are_compressed_as_one_are_told_apart() -> None:
    code = read_fatbin(CONCATENATED, 0, len(CONCATENATED))
    assert code.binary == capabilities("7.5", "8.0")
    assert code.exact == capabilities("9.0")


@pytest.mark.parametrize("cut", range(16, len(CONCATENATED), 8))
def test_a_cut_of_them_is_no_crash(cut: int) -> None:
    assert read_fatbin(CONCATENATED[:cut], 0, cut).has_sections


def test_what_is_for_the_linker_hides_no_code_behind_it() -> None:
    code = bytearray(fatbin(("cubin", 80, 0), ("cubin", 90, 0)))
    struct.pack_into("<H", code, 16, 8)  # the first entry is of a kind that nobody runs
    assert read_fatbin(bytes(code), 0, len(code)).binary == capabilities("9.0")


def test_libraries_for_other_machines_and_other_c_libraries_are_passed_over() -> None:
    said = complete(
        {
            f"{NODE}/linux-x64/node.napi.glibc.node": Elf(needed=["libc.so.6"]),
            f"{NODE}/linux-x64/node.napi.musl.node": Elf(needed=["libc.musl-x86_64.so.1"]),
            f"{NODE}/linux-arm64/node.napi.armv8.node": Elf(
                needed=["libc.so.6", "libgone.so.1"], machine=AARCH64
            ),
            f"{NODE}/android-x64/node.napi.node": Elf(needed=["libc.so", "liblog.so"]),
            f"{NODE}/linux-arm64/tool": Elf(
                needed=["libgone.so.1"], machine=AARCH64, is_program=True
            ),
        }
    )
    assert said.splitlines() == [
        "3 binaries find what they need",
        "4 files are for other systems, and are not looked at",
    ]


@pytest.mark.parametrize(
    ("path", "elf", "lacking"),
    [
        # Python takes it for its own, and can't load it
        (f"{SITE}/one.abi3.so", Elf(needed=["libgone.so.1"], machine=AARCH64), "libgone.so.1"),
        (f"{SITE}/one.abi3.so", Elf(needed=["libc.musl-x86_64.so.1"]), "libc.musl-x86_64.so.1"),
        # who starts it finds no loader
        (
            "/usr/bin/tool",
            Elf(needed=["libc.musl-x86_64.so.1"], is_program=True),
            "libc.musl-x86_64.so.1",
        ),
        # a 64-bit machine runs it
        ("/opt/lib/libold.so", Elf(needed=["libgone.so.1"], machine=I386), "libgone.so.1"),
    ],
)
def test_what_is_meant_to_be_loaded_is_not_passed_over(path: str, elf: Elf, lacking: str) -> None:
    assert f"{path} needs {lacking}, which is not found" in refusal(lambda: complete({path: elf}))


def test_a_musl_library_in_an_image_with_musl_is_looked_at() -> None:
    files: Files = {
        "/lib/libc.musl-x86_64.so.1": Elf(soname="libc.musl-x86_64.so.1"),
        "/opt/one.node": Elf(needed=["libc.musl-x86_64.so.1", "libgone.so.1"]),
    }
    assert "/opt/one.node needs libgone.so.1" in refusal(lambda: complete(files))


def test_a_plug_in_of_a_debian_package_may_do_without_what_that_only_recommends() -> None:
    plugin = f"{LIB}/tc/q_atm.so"
    files: Files = {
        plugin: Elf(needed=["libc.so.6", "libatm.so.1"]),
        **debian({"iproute2": ("6.1.0-3", [plugin])}),
    }
    assert complete(files).splitlines() == [
        "3 binaries find what they need",
        f"not there and not needed: libatm.so.1: {plugin} is a plug-in of the distribution's",
    ]


@pytest.mark.parametrize(
    ("path", "more"),
    [
        # the loader looks here: it is a library, and no plug-in
        (f"{LIB}/libq.so.1", {}),
        ("/opt/cuda/lib64/libq.so.1", {"/etc/ld.so.cache": cache({"a": "/opt/cuda/lib64/a"})}),
        # a program leads to it
        (
            "/opt/q/libq.so.1",
            {"/usr/bin/q": Elf(needed=["libq.so.1"], rpath="/opt/q", is_program=True)},
        ),
    ],
)
def test_a_library_of_a_debian_package_may_not(path: str, more: Files) -> None:
    files: Files = {
        path: Elf(soname="libq.so.1", needed=["libatm.so.1"]),
        **debian({"q": ("1", [path])}),
        **more,
    }
    assert f"{path} needs libatm.so.1, which is not found" in refusal(lambda: complete(files))


def test_a_plug_in_that_no_package_brought_is_refused() -> None:
    files = {"/srv/plugins/one.so": Elf(needed=["libatm.so.1"])}
    assert "/srv/plugins/one.so needs libatm.so.1" in refusal(lambda: complete(files))


def test_java_s_libraries_find_the_machine_that_their_program_has_loaded() -> None:
    java = "/opt/jdk/lib"
    files: Files = {
        f"{java}/libjava.so": Elf(needed=["libjvm.so", "libc.so.6"]),
        f"{java}/server/libjvm.so": Elf(soname="libjvm.so", needed=["libc.so.6"]),
    }
    first, second = complete(files).splitlines()
    assert first == "4 binaries find what they need"
    assert second.startswith("found by a framework's own means: https://github.com/openjdk/jdk/")
    del files[f"{java}/server/libjvm.so"]
    assert "libjava.so needs libjvm.so" in refusal(lambda: complete(files))


@pytest.mark.parametrize(
    ("path", "file", "said"),
    [
        (
            "/opt/kernels/one.cubin",
            Elf(machine=CUDA_MACHINE, kind=2),
            "/opt/kernels/one.cubin (no package) is code for GPUs",
        ),
        (
            "/opt/kernels/one.fatbin",
            fatbin(("cubin", 80, 0)),
            "/opt/kernels/one.fatbin (no package) is code for GPUs: sm_80",
        ),
        (
            "/opt/lib/libnccl.so.2.32.3",
            Elf(),
            "/opt/lib/libnccl.so.2.32.3 (no package) is one of CUDA's",
        ),
    ],
)
def test_a_cpu_image_with_cuda_in_a_file_of_its_own_is_refused(
    path: str, file: Elf | bytes, said: str
) -> None:
    assert refusal(lambda: judge_cpu(binaries({**HOME, path: file}))) == said


def test_pure_python_for_gpus_is_no_cuda() -> None:
    files: Files = {
        f"{SITE}/pynvml.py": b"ctypes.CDLL('libnvidia-ml.so.1')\n",
        f"{SITE}/nvidia_ml_py-13.590.48.dist-info/RECORD": b"pynvml.py,,\n",
        f"{SITE}/kernels/one.ptx": b"//\n.version 8.0\n.target sm_80\n",
    }
    image = binaries({**HOME, **files})
    assert judge_cpu(image) == "2 binaries, none of them with CUDA"
    assert judge_driver(image) == "no part of NVIDIA's driver"


def test_files_of_gpu_code_beside_a_library_are_told_and_refuse_nothing() -> None:
    image = binaries(
        {
            "/opt/libone.so": Elf(fatbin=fatbin(("cubin", 70, 0))),
            "/opt/one_sm90.fatbin": fatbin(("cubin", 90, 0)),
            "/opt/one_sm90.cubin": Elf(machine=CUDA_MACHINE, kind=2),
        }
    )
    machines = (Machine(find_instance("ml.p3.2xlarge"), "training"),)
    assert judge_architectures(image, machines).splitlines() == [
        "1 files with code for sm_70 (ml.p3.2xlarge)",
        "2 files of GPU code beside the libraries are not looked at",
    ]


@pytest.mark.parametrize(
    ("path", "file"),
    [
        (f"{LIB}/libGLX_nvidia.so.535.104.05", b"?"),
        (f"{LIB}/libvdpau_nvidia.so.1", b"?"),
        ("/usr/bin/nvidia-cuda-mps-server", b"?"),
        ("/opt/hidden/own.so", Elf(soname="libcuda.so.1")),
    ],
)
def test_a_part_of_the_driver_is_known_by_what_it_is(path: str, file: Elf | bytes) -> None:
    assert refusal(lambda: judge_driver(binaries({path: file}))) == (
        f"{path} (no package) is part of NVIDIA's driver, which the host brings"
    )


def test_a_stub_where_the_driver_has_to_be_is_refused() -> None:
    stub = "/usr/local/cuda-12.9/lib64/stubs/libcuda.so"
    image = binaries(
        {stub: Elf(soname="libcuda.so.1")},
        {f"{LIB}/libcuda.so.1": stub, "/usr/local/cuda-12.9/lib64/stubs/libcuda.so.1": stub},
    )
    assert refusal(lambda: judge_driver(image)) == (
        f"{LIB}/libcuda.so.1 leads to {stub}, where the host's driver has to be"
    )


def test_other_files_of_nvidia_s_are_no_driver() -> None:
    image = binaries(
        {
            f"{LIB}/libnvidia-container.so.1.17.8": Elf(),
            "/usr/local/cuda-12.9/compat/lib.real/libcuda.so.575.57.08": Elf(),
        }
    )
    assert judge_driver(image) == "no part of NVIDIA's driver; 1 files of forward compatibility"
