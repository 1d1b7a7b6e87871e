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

TORCH = ("--framework", "torch")


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


def test_every_framework_joins_one_project_and_stays_right_when_it_is_locked(
    empty: Project,
) -> None:
    empty.root.mkdir()
    for framework in ("xgboost", "keras", "onnx", "torch", "sklearn", "none"):
        empty.must("new", f"{framework}-own", "--framework", framework)
        empty.must("new", f"{framework}-runtime", "--framework", framework, "--runtime")
    # 2 variants of those whose wheels bring the CUDA of the matrix, which is XGBoost's
    right = "12 recipes, 18 variants: all right\n"
    assert empty.must("check").out == right
    shutil.copy(CHECKOUT / BASES_LOCK, empty.root / BASES_LOCK)
    empty.must("lock", "keras-runtime", "xgboost-own", "onnx-runtime")
    assert len(list(empty.root.glob("images/*/variants/*/requirements.txt"))) == 6
    assert empty.must("check").out == right


def test_pytorch_for_gpus_is_locked_where_its_index_for_cpus_is_out_of_reach(
    empty: Project,
) -> None:
    empty.root.mkdir()
    assert "note: lock asks PyTorch's own index" in empty.must("new", "own", *TORCH).err
    assert empty.must("check").out == "1 recipe, 2 variants: all right\n"
    # this suite asks no index but the default one; the line is the one that `new` wrote
    empty.edit("recipes/own.yaml", "# shelved: [", "shelved: [")
    shutil.copy(CHECKOUT / BASES_LOCK, empty.root / BASES_LOCK)
    empty.must("lock")
    (written,) = empty.root.glob("images/own/variants/*/requirements.txt")
    torch = written.read_text()
    assert "torch==2.10.0 --hash" in torch
    assert "nvidia-cuda-runtime-cu12==12.8" in torch
    assert empty.must("check").out == "1 recipe, 1 variant: all right\n"
