"""The rules about an image's binaries on whole images, each of a few small files."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import docker
import pytest

from tests.unit.smoke.elves import SITE, Elf, debian, fatbin, tar, wheel
from twinforge.compat.instances import find_instance
from twinforge.compat.machines import Machine
from twinforge.events import ignore
from twinforge.model.matrix import Accelerator, Base, Bootstrap
from twinforge.model.place import Place
from twinforge.model.recipe import Recipe, Smoke, SystemPackages
from twinforge.model.variant import Variant
from twinforge.smoke.choice import Choice
from twinforge.smoke.device import CPU, DeviceAsked
from twinforge.smoke.run import run_smoke

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from twinforge.engine.engine import Engine
    from twinforge.smoke.contract import Check

pytestmark = pytest.mark.engine

PLACE = Place("recipes/numbers.yaml", 1, 1)
BASE = Base("debian-12", "debian-12", "", Bootstrap("bookworm", "", ()), PLACE)
LIB = "/usr/lib/x86_64-linux-gnu"
CUDART = "nvidia/cuda_runtime/lib/libcudart.so.12"
ASKED = DeviceAsked(
    cuda="12.9",
    wheels={"nvidia-cuda-runtime-cu12": "12.9.79"},
    machines=(Machine(find_instance("ml.g4dn.xlarge"), "hosting"),),
)
GOOD: dict[str, Elf | bytes] = {
    "/opt/lib/one.abi3.so": Elf(needed=["libcudart.so.12"], fatbin=fatbin(("cubin", 70, 0))),
    f"{SITE}/{CUDART}": Elf(soname="libcudart.so.12"),
    **wheel("nvidia_cuda_runtime_cu12", "12.9.79", [CUDART]),
}
LIBRARY_PATH = f"/nowhere:{SITE}/nvidia/cuda_runtime/lib"


@contextmanager
def imported(engine: Engine, files: Mapping[str, Elf | bytes]) -> Iterator[str]:
    """Make an image of nothing but some files, and remove it at the end."""
    client = docker.DockerClient(base_url=engine.host)
    try:
        changes = [f"ENV LD_LIBRARY_PATH={LIBRARY_PATH}"]
        said = client.api.import_image_from_data(tar(files), changes=changes)
        name = said.split('"')[-2]
        yield name
        client.images.remove(name, force=True)
    finally:
        client.close()


def checks(
    engine: Engine, folder: Path, files: Mapping[str, Elf | bytes], asked: DeviceAsked
) -> dict[str, Check]:
    cuda = asked.cuda
    accelerator = Accelerator(f"cu{cuda.replace('.', '')}" if cuda else "cpu", cuda, "", (), PLACE)
    values = (("accelerator", accelerator.name),)
    variant = Variant("numbers", "1.0.0", values, accelerator, BASE, "3.11")
    nothing, smoke = SystemPackages((), ()), Smoke(None, (), 20)
    recipe = Recipe("numbers", "1.0.0", "", (), (), {}, nothing, (), "p", {}, "", smoke, PLACE)
    with imported(engine, files) as image:
        report = run_smoke(
            image,
            recipe,
            variant,
            {},
            root=folder,
            engine=engine,
            listener=ignore,
            log=folder / "smoke.log",
            choice=Choice(only=("binaries.*", "cuda.*")),
            device=asked,
        )
    return {check.id: check for check in report.checks}


def test_an_image_that_keeps_the_rules_passes_them(engine: Engine, tmp_path: Path) -> None:
    found = checks(engine, tmp_path, GOOD, ASKED)
    assert {name: check.passed for name, check in found.items()} == dict.fromkeys(
        [
            "binaries.complete",
            "cuda.release",
            "cuda.pins",
            "cuda.once",
            "cuda.architectures",
            "cuda.no-driver",
        ],
        True,
    )
    assert found["cuda.architectures"].detail == "1 files with code for sm_75 (ml.g4dn.xlarge)"


@pytest.mark.parametrize(
    ("broken", "files", "said"),
    [
        (
            "binaries.complete",
            {"/opt/two.abi3.so": Elf(needed=["libgone.so.1"])},
            "/opt/two.abi3.so needs libgone.so.1, which is not found",
        ),
        (
            "cuda.release",
            {"/opt/libtwo.so": Elf(fatbin=fatbin(("cubin", 70, 0), cuda=118))},
            "/opt/libtwo.so (no package) was compiled by CUDA 11.8, not 12.9",
        ),
        (
            "cuda.pins",
            wheel("nvidia_cuda_runtime_cu12", "12.9.37", [CUDART]),
            "nvidia-cuda-runtime-cu12==12.9.37 is there, pinned is 12.9.79",
        ),
        (
            "cuda.once",
            {
                f"{LIB}/libcudart.so.12.9.79": Elf(soname="libcudart.so.12"),
                **debian({"cudart": ("12.9.79-1", [f"{LIB}/libcudart.so.12.9.79"])}),
            },
            "0 MB are there twice: take a base without cudart (nvidia/cuda's 'base' flavour)",
        ),
        (
            "cuda.architectures",
            {"/opt/libtwo.so": Elf(fatbin=fatbin(("cubin", 80, 0)))},
            "no package has no code for sm_75 (ml.g4dn.xlarge): libtwo.so (sm_80)",
        ),
        (
            "cuda.no-driver",
            {f"{LIB}/libcuda.so.535.104.05": b"?"},
            (
                f"{LIB}/libcuda.so.535.104.05 (no package) is part of NVIDIA's driver, which the "
                "host brings"
            ),
        ),
    ],
)
def test_an_image_that_breaks_one_rule_fails_that_one(
    engine: Engine, tmp_path: Path, broken: str, files: dict[str, Elf | bytes], said: str
) -> None:
    kept = {
        path: file
        for path, file in GOOD.items()
        if broken != "cuda.pins" or not path.endswith("RECORD")
    }
    found = checks(engine, tmp_path, {**kept, **files}, ASKED)
    failed = {
        name: check.detail.splitlines()[0] for name, check in found.items() if not check.passed
    }
    assert failed == {broken: said}


def test_a_cpu_image_with_cuda_in_it_fails(engine: Engine, tmp_path: Path) -> None:
    found = checks(engine, tmp_path, GOOD, CPU)
    failed = {
        name: check.detail.splitlines()[0] for name, check in found.items() if not check.passed
    }
    assert failed == {"cuda.none": "/opt/lib/one.abi3.so (no package) needs libcudart.so.12"}
    assert list(found) == ["binaries.complete", "cuda.none", "cuda.no-driver"]
