from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HADOLINT = Path(sys.executable).parent / "hadolint"
DOCKERFILES = sorted(
    path.relative_to(ROOT)
    for folder in (ROOT / "images", ROOT / "tests" / "golden" / "projects")
    for path in folder.rglob("Dockerfile")
)


def lint(path: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run hadolint without the user's own configuration."""
    argv = [str(HADOLINT), "--no-color", str(path)]
    env = {"HOME": str(home), "LANG": "C.UTF-8"}
    return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_hadolint_finds_nothing_to_say(path: Path, tmp_path: Path) -> None:
    done = lint(path, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_hadolint_would_say_something(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM debian\nRUN apt-get install x\n", "utf-8")
    assert "DL3006" in lint(tmp_path / "Dockerfile", tmp_path).stdout


def test_there_are_dockerfiles_of_the_shipped_recipe_and_of_every_golden_project() -> None:
    tops = {path.parts[:4] if path.parts[0] == "tests" else path.parts[:1] for path in DOCKERFILES}
    projects = (ROOT / "tests" / "golden" / "projects").iterdir()
    assert tops == {("images",), *(path.relative_to(ROOT).parts for path in projects)}
