"""What docs/smoke.md says is so."""

from __future__ import annotations

import re
from pathlib import Path

from twinforge.model.load import load_project
from twinforge.report.checks import rules_markdown
from twinforge.smoke.rules import load_rules

CHECKOUT = Path(__file__).parents[3]
TEXT = (CHECKOUT / "docs" / "smoke.md").read_text("utf-8")


def test_the_table_of_checks_is_that_of_the_contract() -> None:
    _, comment, table = TEXT.partition("a test holds it fresh. -->\n\n")
    assert comment
    assert table == rules_markdown(load_rules())


def test_the_recipe_that_it_shows_is_one(tmp_path: Path) -> None:
    shown = re.search(r"```yaml\n(.+?)```", TEXT, re.DOTALL)
    assert shown
    for path in ("recipes", "program", "smoke/training"):
        (tmp_path / path).mkdir(parents=True)
    for name in ("train", "serve"):
        (tmp_path / "program" / name).write_text("#!/bin/sh\n")
        (tmp_path / "program" / name).chmod(0o755)
    (tmp_path / "smoke/row.csv").write_text("1\n")
    matrix = CHECKOUT / "tests/projects/good-minimal/matrix.yaml"
    (tmp_path / "matrix.yaml").write_text(matrix.read_text())
    recipe = f"recipe: shown\nversion: 1.0.0\nprogram: program\n{shown[1]}"
    (tmp_path / "recipes/shown.yaml").write_text(recipe)
    smoke = load_project(tmp_path).recipe("shown").smoke
    assert smoke.train
    assert smoke.train.stop.hyperparameters == {"num_round": "10000"}
    assert smoke.train.resumes == "going on from round"
    assert (smoke.stop_s, smoke.user, smoke.read_only_root) == (10, "1000", True)
    assert smoke.commands[0].run[0] == "/opt/venv/bin/python"
    assert smoke.severities["serve.keep-alive"].severity == "error"
    assert smoke.pair.relative == 0.0001
