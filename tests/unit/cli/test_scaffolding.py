from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from twinforge.scaffold.frameworks import FRAMEWORKS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Run


@pytest.mark.parametrize("style", ["--program", "--runtime"])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_what_is_written_is_all_right_at_once(
    run: Run, tmp_path: Path, framework: str, style: str
) -> None:
    root = str(tmp_path / "project")
    written = run("-C", root, "new", "irises", "--framework", framework, style)
    assert written.status == 0, written.err
    checked = run("-C", root, "check")
    assert (checked.status, checked.out.split(":")[1]) == (0, " all right\n"), checked.err


def test_a_second_recipe_joins_the_first(run: Run, tmp_path: Path) -> None:
    root = str(tmp_path)
    assert run("-C", root, "new", "first", "--framework", "xgboost").status == 0
    assert run("-C", root, "new", "second", "--framework", "none", "--runtime").status == 0
    assert run("-C", root, "check").out == "2 recipes, 3 variants: all right\n"


def test_it_says_what_was_written_and_what_is_next(run: Run, tmp_path: Path) -> None:
    ran = run("-C", str(tmp_path), "new", "irises")
    paths = ran.out.splitlines()
    assert paths[0] == "matrix.yaml"
    assert all((tmp_path / path).is_file() for path in paths)
    assert "  twinforge lock irises\n  twinforge build irises\n" in ran.err


def test_nothing_is_overwritten(run: Run, tmp_path: Path) -> None:
    run("-C", str(tmp_path), "new", "irises")
    (tmp_path / "recipes/irises.yaml").write_text("mine")
    again = run("-C", str(tmp_path), "new", "irises")
    assert again.status == 2
    assert "nothing is overwritten" in again.err
    assert (tmp_path / "recipes/irises.yaml").read_text() == "mine"


def test_a_dry_run_writes_nothing(run: Run, tmp_path: Path) -> None:
    ran = run("-C", str(tmp_path / "p"), "new", "irises", "--runtime", "--dry-run", "--json")
    shown = json.loads(ran.out)
    assert "images/irises/program/predictor.py" in shown["files"]
    assert shown["written"] is False
    assert not (tmp_path / "p").exists()


def test_a_dry_run_says_what_stands_in_the_way(run: Run, tmp_path: Path) -> None:
    run("-C", str(tmp_path), "new", "irises")
    again = run("-C", str(tmp_path), "new", "irises", "--dry-run")
    assert (again.status, again.out) == (2, "")
    assert "nothing is overwritten, and here already: recipes/irises.yaml" in again.err


def test_what_is_next_begins_in_the_project_s_folder(run: Run, tmp_path: Path) -> None:
    folder = str(tmp_path / "my project")
    ran = run("-C", folder, "new", "irises", "--json")
    assert json.loads(ran.out)["next"][:2] == [f"cd '{folder}'", "twinforge check"]


def test_where_one_build_comes_from_is_told_before_the_first_lock(run: Run, tmp_path: Path) -> None:
    ran = run("-C", str(tmp_path), "new", "irises", "--framework", "torch")
    assert "\nnote: lock asks PyTorch's own index for the build for CPUs" in ran.err
    other = run("-C", str(tmp_path), "new", "other", "--framework", "xgboost", "--json")
    assert json.loads(other.out)["notes"] == []


def test_a_wrong_name_writes_nothing(run: Run, tmp_path: Path) -> None:
    ran = run("-C", str(tmp_path), "new", "../irises")
    assert ran.status == 2
    assert "'../irises' is no name of a recipe" in ran.err
    assert list(tmp_path.iterdir()) == []
