"""What other programs make of the matrix: the real git, and the real buildx."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from twinforge import process
from twinforge.api.changes import changed_since
from twinforge.api.showing import bake
from twinforge.api.workspace import Workspace
from twinforge.errors import UsageError

if TYPE_CHECKING:
    from twinforge.engine.engine import Engine

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
CPU, CUDA = "digits/cpu-py3.11-debian12", "digits/cu129-py3.11-debian12"
GIT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The shipped project, in a folder of a repository with one commit."""
    root = tmp_path / "repository" / "inner"
    root.mkdir(parents=True)
    shutil.copy2(ROOT / "matrix.yaml", root)
    for name in ("recipes", "images"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "x"]):
        process.run(["git", *words], cwd=root.parent, env={**os.environ, **GIT})
    return root


def workspace(root: Path) -> Workspace:
    return Workspace(root, {**os.environ, **GIT}, root / ".engine", root / ".cache")


def test_git_tells_what_changed_since_a_commit(checkout: Path) -> None:
    assert changed_since(workspace(checkout), "HEAD") == frozenset()
    recipe = checkout / "recipes/digits.yaml"
    text = recipe.read_text()
    recipe.write_text(f"{text}\noverrides: [{{when: cuda >= 12, env: {{A: b}}}}]\n")
    assert changed_since(workspace(checkout), "HEAD") == {CUDA}
    recipe.write_text(text)
    program = checkout / "images/digits/program/train"
    program.chmod(0o700)
    assert changed_since(workspace(checkout), "HEAD") == frozenset()
    with program.open("a") as file:
        file.write("# changed\n")
    assert changed_since(workspace(checkout), "HEAD") == {CPU, CUDA}
    status = ["git", "status", "--porcelain"]
    done = process.run(status, cwd=checkout, env={**os.environ, **GIT})
    assert done.stdout == " M inner/images/digits/program/train\n"


@pytest.mark.parametrize("revision", ["nope", "--help", "-n1", "HEAD~1", "HEAD:matrix.yaml"])
def test_what_is_no_commit_is_refused(checkout: Path, revision: str) -> None:
    with pytest.raises(UsageError, match="git knows no revision"):
        changed_since(workspace(checkout), revision)


def test_a_folder_without_git_is_told(checkout: Path) -> None:
    shutil.rmtree(checkout.parent / ".git")
    with pytest.raises(UsageError, match="is in no git repository that can be read"):
        changed_since(workspace(checkout), "HEAD")


def test_bake_takes_the_file_and_means_the_same(checkout: Path, engine: Engine) -> None:
    made = bake(workspace(checkout), ["digits"])
    argv = [engine.docker, "buildx", "bake", "--file", "-", "--print"]
    done = process.run(argv, env=engine.env, stdin=json.dumps(made).encode())
    seen = json.loads(done.stdout)
    assert seen["group"] == made["group"]
    assert list(seen["target"]) == ["digits_cpu-py3_11-debian12", "digits_cu129-py3_11-debian12"]
    targets = made["target"]
    assert isinstance(targets, dict)
    for name, target in seen["target"].items():
        wanted = targets[name]
        for key in ("context", "contexts", "args", "labels", "tags", "platforms", "secret"):
            assert target[key] == wanted[key], key
