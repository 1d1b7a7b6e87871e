from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.smoke.elves import AARCH64, I386, SITE, Elf, cache, fatbin, image
from twinforge.errors import SmokeError
from twinforge.smoke.elf.closure import Closure, close, judge_closure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Files = dict[str, Elf | bytes]

LIB = "/usr/lib/x86_64-linux-gnu"
C = {f"{LIB}/libc.so.6": Elf(soname="libc.so.6", defines=["GLIBC_2.2.5", "GLIBC_2.34"])}


def closure(
    files: Mapping[str, Elf | bytes],
    links: Mapping[str, str] | None = None,
    library_path: Sequence[str] = (),
) -> Closure:
    return close(image({**C, **files}, links), library_path)


def missing(
    files: Mapping[str, Elf | bytes],
    links: Mapping[str, str] | None = None,
    library_path: Sequence[str] = (),
) -> list[str]:
    return [str(one) for one in closure(files, links, library_path).missing]


def refusal(files: Mapping[str, Elf | bytes]) -> str:
    tree = image({**C, **files})
    with pytest.raises(SmokeError) as caught:
        judge_closure(tree, close(tree))
    return caught.value.message


def test_an_image_whose_binaries_find_everything_is_complete() -> None:
    tree = image({**C, "/opt/one.cpython-311-x86_64-linux-gnu.so": Elf(needed=["libc.so.6"])})
    assert judge_closure(tree, close(tree)) == "2 binaries find what they need"


def test_a_library_that_is_nowhere_is_named_with_who_needs_it() -> None:
    said = refusal({"/opt/one.abi3.so": Elf(needed=["libc.so.6", "libgone.so.3"])})
    assert said == "/opt/one.abi3.so needs libgone.so.3, which is not found"


def test_a_library_where_the_loader_does_not_look_is_told() -> None:
    files = {"/opt/one.abi3.so": Elf(needed=["libtwo.so.2"]), "/srv/libtwo.so.2": Elf()}
    assert missing(files) == [
        (
            "/opt/one.abi3.so needs libtwo.so.2, which is not found "
            "(there is /srv/libtwo.so.2, where the loader does not look)"
        )
    ]


def test_a_folder_of_the_configuration_counts_only_when_it_is_in_the_cache() -> None:
    files: Files = {
        "/opt/one.abi3.so": Elf(needed=["libtwo.so.2"]),
        "/opt/cuda/lib64/libtwo.so.2": Elf(),
        "/etc/ld.so.conf.d/cuda.conf": b"# CUDA\n/opt/cuda/lib64\n",
    }
    assert missing(files) == [
        (
            "/opt/one.abi3.so needs libtwo.so.2, which is not found (/opt/cuda/lib64/libtwo.so.2 "
            "is there and not in /etc/ld.so.cache: run ldconfig)"
        )
    ]
    cached = {"/etc/ld.so.cache": cache({"libtwo.so.2": "/opt/cuda/lib64/libtwo.so.2"})}
    assert missing({**files, **cached}) == []


def test_a_cache_that_leads_nowhere_helps_nobody() -> None:
    files: Files = {
        "/opt/one.abi3.so": Elf(needed=["libtwo.so.2"]),
        "/etc/ld.so.cache": cache({"libtwo.so.2": "/opt/gone/libtwo.so.2"}),
    }
    assert len(missing(files)) == 1
    assert len(missing({**files, "/etc/ld.so.cache": b"glibc-ld.so.cache1.1\xff\xff"})) == 1


@pytest.mark.parametrize("folder", ["/lib", "/usr/lib", "/lib64", LIB])
def test_default_folders_need_no_cache(folder: str) -> None:
    files = {"/opt/one.abi3.so": Elf(needed=["libtwo.so.2"]), f"{folder}/libtwo.so.2": Elf()}
    assert missing(files) == []


def test_the_image_s_library_path_is_looked_in() -> None:
    files = {"/opt/one.abi3.so": Elf(needed=["libtwo.so.2"]), "/opt/lib/libtwo.so.2": Elf()}
    assert len(missing(files)) == 1
    assert missing(files, library_path=["", "/opt/lib"]) == []


@pytest.mark.parametrize("origin", ["$ORIGIN/../lib", "${ORIGIN}/../lib"])
def test_origin_is_the_folder_of_who_needs_it(origin: str) -> None:
    files = {"/opt/x/one.abi3.so": Elf(needed=["libtwo.so.2"], runpath=origin)}
    assert missing({**files, "/opt/lib/libtwo.so.2": Elf()}) == []


def test_origin_is_where_a_link_lies_and_not_where_it_leads() -> None:
    files = {
        "/opt/a/one.abi3.so": Elf(needed=["libtwo.so.2"], rpath="$ORIGIN/links"),
        "/srv/libtwo.so.2.1": Elf(needed=["libthree.so.3"], runpath="$ORIGIN"),
        "/opt/a/links/libthree.so.3": Elf(),
    }
    assert missing(files, {"/opt/a/links/libtwo.so.2": "/srv/libtwo.so.2.1"}) == []


def test_an_rpath_serves_what_is_loaded_below_it_and_a_runpath_does_not() -> None:
    below = {"/opt/l/libtwo.so.2": Elf(needed=["libthree.so.3"]), "/opt/l/libthree.so.3": Elf()}
    assert missing({"/opt/one.abi3.so": Elf(needed=["libtwo.so.2"], rpath="/opt/l"), **below}) == []
    said = missing({"/opt/one.abi3.so": Elf(needed=["libtwo.so.2"], runpath="/opt/l"), **below})
    assert said[0].startswith("/opt/l/libtwo.so.2 needs libthree.so.3, which is not found")


def test_a_runpath_switches_the_rpaths_above_it_off() -> None:
    files = {
        "/opt/one.abi3.so": Elf(needed=["libtwo.so.2"], rpath="/opt/l"),
        "/opt/l/libtwo.so.2": Elf(needed=["libthree.so.3"], runpath="/nowhere"),
        "/opt/l/libthree.so.3": Elf(),
    }
    assert len(missing(files)) == 1


def test_what_is_loaded_already_is_found_by_its_soname() -> None:
    files = {
        "/opt/one.abi3.so": Elf(needed=["libtwo.so.2", "libthree.so.3"], rpath="/opt/l"),
        "/opt/l/libtwo.so.2": Elf(soname="libtwo.so.2"),
        "/opt/l/libthree.so.3": Elf(needed=["libtwo.so.2"], runpath="/nowhere"),
    }
    assert missing(files) == []


def test_a_library_of_another_machine_is_passed_over() -> None:
    for machine in (AARCH64, I386):
        files = {
            "/opt/one.abi3.so": Elf(needed=["libtwo.so.2"], runpath="/opt/other:/opt/own"),
            "/opt/other/libtwo.so.2": Elf(machine=machine),
        }
        assert len(missing(files)) == 1
        assert missing({**files, "/opt/own/libtwo.so.2": Elf()}) == []


def test_a_symbol_version_that_the_image_does_not_have_is_named() -> None:
    wants = {"libc.so.6": ["GLIBC_2.2.5", "GLIBC_2.38"]}
    said = refusal({"/opt/one.abi3.so": Elf(needed=["libc.so.6"], wants=wants)})
    assert said == "/opt/one.abi3.so needs GLIBC_2.38 of libc.so.6, which does not have it"


def test_a_library_without_versions_serves_all_of_them() -> None:
    wants = {"libtwo.so.2": ["TWO_1"]}
    files = {"/opt/one.abi3.so": Elf(needed=["libtwo.so.2"], wants=wants, runpath="/opt/l")}
    assert missing({**files, "/opt/l/libtwo.so.2": Elf(soname="libtwo.so.2")}) == []


def test_the_driver_s_libraries_may_be_missing_and_who_needs_them_is_counted() -> None:
    tree = image(
        {**C, "/opt/one.abi3.so": Elf(needed=["libc.so.6", "libcuda.so.1", "libnvidia-ml.so.1"])}
    )
    assert judge_closure(tree, close(tree)) == (
        "2 binaries find what they need, 1 of them the driver's libraries on the host"
    )


def test_a_library_that_can_not_be_read_fails_and_another_broken_file_does_not() -> None:
    said = refusal({"/opt/libone.so.1": b"\x7fELFrubbish"})
    assert said.startswith("/opt/libone.so.1 can't be loaded: ")
    tree = image({**C, "/opt/testdata.elf": b"\x7fELFrubbish"})
    assert judge_closure(tree, close(tree)) == "1 binaries find what they need"


def test_a_framework_s_own_search_is_used_and_told() -> None:
    files = {
        f"{SITE}/torch/lib/libtorch_cuda.so": Elf(needed=["libcublas.so.12"]),
        f"{SITE}/nvidia/cublas/lib/libcublas.so.12": Elf(needed=["libcublasLt.so.12"]),
        f"{SITE}/nvidia/cublas/lib/libcublasLt.so.12": Elf(),
    }
    tree = image(files)
    told = judge_closure(tree, close(tree))
    assert "found by a framework's own means: " in told
    assert "torch/__init__.py (_preload_cuda_deps" in told


def test_what_is_no_framework_does_not_find_what_frameworks_find() -> None:
    files = {
        f"{SITE}/mine/one.abi3.so": Elf(needed=["libcublas.so.12"]),
        f"{SITE}/nvidia/cublas/lib/libcublas.so.12": Elf(),
    }
    assert len(missing(files)) == 1


def test_a_provider_that_nobody_asks_for_may_lack_its_libraries() -> None:
    capi = f"{SITE}/onnxruntime/capi"
    files = {f"{capi}/libonnxruntime_providers_tensorrt.so": Elf(needed=["libnvinfer.so.10"])}
    found = closure(files)
    assert found.missing == ()
    assert found.optional == (
        "libnvinfer.so.10: the TensorRT provider, which has to be asked for by name",
    )
    assert len(missing({f"{capi}/libonnxruntime.so.1": Elf(needed=["libnvinfer.so.10"])})) == 1


@pytest.mark.parametrize(
    ("file", "needed"),
    [
        ("cufile/lib/libcufile_rdma.so.1", "libmlx5.so.1"),
        ("cu13/lib/libcufile_rdma.so.1", "librdmacm.so.1"),
        ("nvshmem/lib/nvshmem_bootstrap_mpi.so.3", "libmpi.so.40"),
        ("nvshmem/lib/nvshmem_transport_ucx.so.3", "libucs.so.0"),
        ("nvshmem/lib/nvshmem_transport_ucx.so.3", "libucp.so.0"),
    ],
)
def test_what_nvidia_s_wheels_open_on_some_networks_only_may_lack_their_libraries(
    file: str, needed: str
) -> None:
    assert closure({f"{SITE}/nvidia/{file}": Elf(needed=[needed])}).missing == ()
    # a library of CUDA's is another matter, and so is the same need of another file
    assert len(missing({f"{SITE}/nvidia/{file}": Elf(needed=["libcublas.so.12"])})) == 1
    assert len(missing({f"{SITE}/nvidia/nvshmem/lib/libnvshmem_host.so.3": Elf(needed=[needed])}))


def test_a_test_of_pytorch_s_own_may_be_broken_and_no_other_program_of_it() -> None:
    needs = Elf(needed=["libc10.so", "libtorch.so", "libtorch_cpu.so"])
    assert closure({f"{SITE}/torch/bin/test_shim": needs}).missing == ()
    assert len(missing({f"{SITE}/torch/bin/torch_shm_manager": needs})) == 3


def test_a_plugin_of_triton_finds_triton_loaded() -> None:
    needs = Elf(needed=["libtriton.so"])
    assert closure({f"{SITE}/triton/plugins/libMLIRDialectPlugin.so": needs}).missing == ()
    assert len(missing({f"{SITE}/triton/_C/libproton.so": needs})) == 1


def tensorflow(*without: str) -> Files:
    names = {
        "cuda_runtime": "libcudart.so.12",
        "cublas": "libcublas.so.12",
        "cublas ": "libcublasLt.so.12",
        "cufft": "libcufft.so.11",
        "cusolver": "libcusolver.so.11",
        "cusparse": "libcusparse.so.12",
        "cudnn": "libcudnn.so.9",
    }
    folders = [f"$ORIGIN/../nvidia/{name}/lib" for name in names if name != "cusolver"]
    code = fatbin(("cubin", 80, 0), cuda=125)
    files: Files = {
        f"{SITE}/tensorflow/libtensorflow_framework.so.2": Elf(
            runpath=":".join(folders), fatbin=code
        ),
        f"{SITE}/tensorflow/libtensorflow_cc.so.2": Elf(
            runpath="$ORIGIN/../nvidia/cusolver/lib", fatbin=code
        ),
    }
    for folder, name in names.items():
        if name not in without:
            files[f"{SITE}/nvidia/{folder.strip()}/lib/{name}"] = Elf(soname=name)
    return files


def test_libraries_that_tensorflow_opens_by_name_must_be_there() -> None:
    assert missing(tensorflow()) == []
    assert missing(tensorflow("libcufft.so.11")) == [
        (
            f"{SITE}/tensorflow/libtensorflow_framework.so.2 needs libcufft.so.11, "
            "which is not found (without it TensorFlow sees no GPU)"
        )
    ]


def test_one_of_several_libraries_that_would_do_is_enough() -> None:
    files = tensorflow("libcudnn.so.9")
    assert "needs libcudnn.so.9 or libcudnn.so.8, which" in missing(files)[0]
    assert missing({**files, f"{SITE}/nvidia/cudnn/lib/libcudnn.so.8": Elf()}) == []
