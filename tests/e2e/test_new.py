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
