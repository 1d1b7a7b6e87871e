from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.unit.smoke.elves import AARCH64, Elf, fatbin
from twinforge.compat.facts import Dotted
from twinforge.smoke.elf.facts import GpuCode, Machine
from twinforge.smoke.elf.fatbin import expand_lz4, read_fatbin
from twinforge.smoke.elf.read import BrokenElfError, read_elf
from twinforge.smoke.elf.versions import family_of, is_driver

LZ4, ONLY_THIS = 0x2000, 0x100000


def capabilities(*texts: str) -> frozenset[Dotted]:
    return frozenset(map(Dotted.parse, texts))


def code_of(data: bytes) -> GpuCode:
    return read_fatbin(data, 0, len(data))


def test_what_the_loader_reads_is_read() -> None:
    facts = read_elf(
        Elf(
            soname="libone.so.1",
            needed=["libtwo.so.2", "libc.so.6"],
            rpath="$ORIGIN:/opt/lib",
            wants={"libc.so.6": ["GLIBC_2.2.5", "GLIBC_2.34"], "libtwo.so.2": ["TWO_1"]},
            defines=["libone.so.1", "ONE_1", "ONE_2"],
        ).build()
    )
    assert facts.soname == "libone.so.1"
    assert facts.needed == ("libtwo.so.2", "libc.so.6")
    assert facts.rpath == ("$ORIGIN", "/opt/lib")
    assert facts.runpath == ()
    assert facts.wants == {"libc.so.6": ("GLIBC_2.2.5", "GLIBC_2.34"), "libtwo.so.2": ("TWO_1",)}
    assert facts.defines == {"ONE_1", "ONE_2"}
    assert facts.machine == Machine("X86_64", 64)
    assert not facts.is_program
    assert not facts.code.has_sections


def test_a_version_that_may_be_missing_is_not_wanted() -> None:
    facts = read_elf(Elf(wants={"libc.so.6": ["A", "B"]}, weak=["B"]).build())
    assert facts.wants == {"libc.so.6": ("A",)}


def test_programs_and_other_machines_are_told_apart() -> None:
    facts = read_elf(Elf(machine=AARCH64, is_program=True).build())
    assert facts.is_program
    assert facts.machine == Machine("AARCH64", 64)


def test_an_object_file_is_nothing_for_the_loader() -> None:
    assert not read_elf(Elf(kind=1).build()).is_dynamic


@pytest.mark.parametrize("kept", [5, 40, 70, 200])
def test_a_file_that_is_cut_short_is_broken(kept: int) -> None:
    with pytest.raises(BrokenElfError):
        read_elf(Elf(soname="libone.so.1", needed=["libc.so.6"]).build()[:kept])


def test_a_real_extension_needs_the_c_library_and_its_versions() -> None:
    spec = find_spec("pydantic_core._pydantic_core")
    assert spec is not None
    assert spec.origin is not None
    facts = read_elf(Path(spec.origin).read_bytes())
    assert "libc.so.6" in facts.needed
    assert any(version.startswith("GLIBC_2") for version in facts.wants["libc.so.6"])
    assert not facts.is_program
    assert facts.code == GpuCode()


def test_the_interpreter_is_a_program() -> None:
    assert read_elf(Path(sys.executable).resolve().read_bytes()).is_program


def test_machine_code_and_ptx_are_told_apart() -> None:
    code = code_of(fatbin(("cubin", 50, 0), ("cubin", 90, 0), ("ptx", 120, 0)))
    assert code.binary == capabilities("5.0", "9.0")
    assert code.ptx == capabilities("12.0")
    assert str(code) == "sm_50, sm_90, PTX of 12.0"


def test_code_of_one_architecture_alone_is_no_code_for_newer_ones() -> None:
    code = code_of(fatbin(("cubin", 80, 0), ("cubin", 90, ONLY_THIS)))
    assert code.binary == capabilities("8.0")
    assert code.exact == capabilities("9.0")


def test_all_containers_of_a_section_count_and_what_lies_between_does_not() -> None:
    data = fatbin(("cubin", 70, 0)) + bytes(24) + fatbin(("cubin", 75, 0)) + b"noise"
    assert code_of(data).binary == capabilities("7.0", "7.5")


def test_a_container_that_is_cut_short_gives_what_is_there() -> None:
    whole = fatbin(("cubin", 70, 0), ("cubin", 75, 0))
    assert code_of(whole[:-100]).binary == capabilities("7.0")
    assert code_of(whole[:20]) == GpuCode(has_sections=True)


def test_the_compiler_is_known_from_a_cubin_and_from_the_version_of_ptx() -> None:
    assert code_of(fatbin(("cubin", 70, 0), cuda=118)).toolkits == {"11.8"}
    assert code_of(fatbin(("ptx", 70, 0), isa=(8, 0))).toolkits == {"12.0"}


def test_a_compiler_that_is_not_named_is_not_guessed() -> None:
    # 8.5 is written by CUDA 12.5 and 12.6, and cubins of the newest form name none
    assert code_of(fatbin(("cubin", 100, 0), cuda=0)).toolkits == frozenset()
    assert code_of(fatbin(("ptx", 90, 0), isa=(8, 5))).toolkits == frozenset()


def test_a_packed_cubin_of_a_real_wheel_names_its_compiler() -> None:
    # the first 72 bytes of the sm_50 cubin in libxgboost.so of xgboost 3.2.0, built by CUDA 12.9
    packed = bytes.fromhex(
        "a27f454c460201013307000100530200be00810c00000100308033250700400040c4240700f50e0032053200"
        "4000380004004000bd010100002e7368737472746162002e08002779"
    )
    head = expand_lz4(packed, 64)
    assert head[:9] == b"\x7fELF\x02\x01\x01\x33\x07"
    assert int.from_bytes(head[18:20], "little") == 190  # EM_CUDA
    assert int.from_bytes(head[20:24], "little") == 129


@pytest.mark.parametrize("packed", ["", "f0", "10", "1061ff00", "ffffff"])
def test_packed_data_that_makes_no_sense_ends_early(packed: str) -> None:
    assert len(expand_lz4(bytes.fromhex(packed), 64)) < 2


def test_code_beside_an_empty_kernel_is_found() -> None:
    empty, real = fatbin(("cubin", 52, 0)), fatbin(("cubin", 80, 0))
    facts = read_elf(Elf(fatbin=empty, elsewhere=real, is_dummy=True).build())
    assert facts.code.binary == capabilities("8.0")


def test_an_empty_kernel_alone_is_code_that_says_nothing() -> None:
    facts = read_elf(Elf(fatbin=fatbin(("cubin", 52, 0)), is_dummy=True).build())
    assert facts.code == GpuCode(has_sections=True)


def test_code_in_its_section_is_all_that_counts() -> None:
    facts = read_elf(
        Elf(fatbin=fatbin(("cubin", 90, 0)), elsewhere=fatbin(("cubin", 80, 0))).build()
    )
    assert facts.code.binary == capabilities("9.0")


def test_code_that_is_packed_in_another_way_is_still_code() -> None:
    code = code_of(fatbin(("cubin", 86, 0x8000), cuda=0))
    assert code.binary == capabilities("8.6")


@pytest.mark.parametrize(
    ("soname", "symbol", "value", "version"),
    [
        ("libcudnn_graph.so.9", "cudnn_graph_version", "001c0900", "9.28.0"),
        # mov dword ptr [rdi], 23203: ncclGetVersion of NCCL 2.32.3
        ("libnccl.so.2", "ncclGetVersion", "4885ff7409c707a35a000031c0c3", "2.32.3"),
        ("libcublasLt.so.12", "cublasLtGetVersion", "b847d80100c3", "12.9.3"),
        ("libcusolver.so.11", "cusolverGetVersion", "c706b92d000031c0c3", "11.7.5"),
        # two numbers that could be it, and one of another major
        ("libnccl.so.2", "ncclGetVersion", "c707a35a0000c707a45a0000c3", ""),
        ("libcublasLt.so.13", "cublasLtGetVersion", "b847d80100c3", ""),
        ("libcudnn_graph.so.8", "cudnn_graph_version", "001c0900", ""),
        ("libnccl.so.2", "somethingElse", "4885ff7409c707a35a000031c0c3", ""),
    ],
)
def test_a_library_tells_its_own_version(
    soname: str, symbol: str, value: str, version: str
) -> None:
    data = Elf(soname=soname, symbols={"other": b"12345678", symbol: bytes.fromhex(value)}).build()
    assert read_elf(data).version == version


def test_cuda_s_libraries_are_known_by_name_and_others_are_not() -> None:
    known = {
        "libcudart.so.11.0": "cudart",
        "libcublas-5c1a11af.so.11": "cublas",
        "libcublasLt.so.12": "cublasLt",
        "libcudnn_cnn_infer.so.8": "cudnn_cnn_infer",
        "libnppig.so.12": "nppig",
        "libcuda.so.1": "",
        "libcurl.so.4": "",
        "libcudart_static.a": "",
        "libnvrtc.alt.so.12": "",
    }
    assert {name: family_of(name) for name in known} == known


def test_the_driver_s_libraries_are_known_by_name() -> None:
    names = [
        "libcuda.so.1",
        "libcuda.so.535.104.05",
        "libnvidia-ml.so.1",
        "libnvidia-ptxjitcompiler.so.1",
    ]
    assert all(map(is_driver, names))
    assert not any(map(is_driver, ["libcudart.so.12", "libnvrtc.so.12", "libcudnn.so.9"]))
