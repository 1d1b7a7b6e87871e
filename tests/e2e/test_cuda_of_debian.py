"""The `onnx` recipe on CUDA from Debian and cuDNN from a wheel: nothing is missing but the driver."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.workbench import copy_checkout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.workbench import Project

pytestmark = pytest.mark.engine

VARIANT = "onnx/cu118-py3.11-debian12"
ASK = (
    "import sys; sys.path.insert(0, '/program'); "
    "from classifier.device import cuda_provider; print(cuda_provider())"
)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = copy_checkout(tmp_path)
    yield made
    made.remove_images()


def ask(image: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Ask the image's own check, which its program makes before it trains or serves."""
    argv = ["docker", "run", "--rm", "--network", "none", *options, image]
    return subprocess.run(
        [*argv, "/opt/venv/bin/python", "-c", ASK], capture_output=True, text=True, check=False
    )


def test_every_library_of_the_cuda_provider_is_there_and_only_the_driver_is_not(
    project: Project,
) -> None:
    project.must("build", VARIANT)
    smoked = project.json("smoke", VARIANT)
    assert [image["smoke"] for image in smoked["images"]] == ["passed"]

    image = project.image_id("onnx", "1.0.0-cu118-py3.11-debian12")
    assert ask(image).stdout == "only the driver is missing\n"
    # the same question where cuDNN can't be found: the check can fail
    without = ask(image, "--env", "LD_LIBRARY_PATH=")
    assert without.returncode == 1
    assert without.stderr.endswith("can't be loaded, for want of libcudnn.so.8\n")
