"""A project from nothing: what `new` writes is checked, locked, built and smoked as it is."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.workbench import BASES_LOCK, CHECKOUT, Project, docker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.engine


@pytest.fixture
def empty(digits: Project, tmp_path: Path) -> Iterator[Project]:
    """An empty folder; what is made of it has names that nobody else has."""
    prefix = f"new-{secrets.token_hex(5)}"
    yield Project(tmp_path / "project", digits.program, prefix)
    names = docker(
        *("image", "ls", "--filter", f"reference=twinforge/{prefix}-*"),
        *("--format", "{{.Repository}}:{{.Tag}}"),
    ).split()
    if names:
        docker("image", "rm", *names)


def test_what_new_writes_passes_at_once(empty: Project) -> None:
    own, built_in = f"{empty.prefix}-own", f"{empty.prefix}-runtime"
    empty.root.mkdir()
    empty.must("new", own, "--framework", "sklearn")
    empty.must("new", built_in, "--framework", "none", "--runtime")
    assert empty.must("check").out == "2 recipes, 2 variants: all right\n"
    for name in (own, built_in):
        subprocess.run(
            [sys.executable, "-m", "unittest", "discover", f"images/{name}/tests"],
            cwd=empty.root,
            check=True,
            capture_output=True,
        )
    shutil.copy(CHECKOUT / BASES_LOCK, empty.root / BASES_LOCK)
    empty.must("lock")
    empty.must("build")
    smoked = empty.json("smoke")
    assert {row["smoke"] for row in smoked["images"]} == {"passed"}


def test_every_framework_is_checked_and_those_for_gpus_are_locked(empty: Project) -> None:
    empty.root.mkdir()
    for framework in ("torch", "keras", "xgboost", "onnx", "sklearn", "none"):
        empty.must("new", f"{framework}-own", "--framework", framework)
        empty.must("new", f"{framework}-runtime", "--framework", framework, "--runtime")
    # 2 variants of each but of those for which there is nothing but CPUs
    assert empty.must("check").out == "12 recipes, 20 variants: all right\n"
    # PyTorch's own index is asked for the build for CPUs, and this suite asks no index but one
    with (empty.root / "recipes/torch-own.yaml").open("a") as recipe:
        recipe.write("shelved: [{when: kind == cpu, reason: an index of its own}]\n")
    shutil.copy(CHECKOUT / BASES_LOCK, empty.root / BASES_LOCK)
    empty.must("lock", "torch-own", "keras-runtime", "xgboost-own", "onnx-runtime")
    assert len(list(empty.root.glob("images/*/variants/*/requirements.txt"))) == 7
    torch = empty.read("images/torch-own/variants/cu128-py3.11-debian12/requirements.txt")
    assert "torch==2.10.0 --hash" in torch
    assert "nvidia-cuda-runtime-cu12==12.8" in torch
