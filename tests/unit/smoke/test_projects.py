"""The folders of ``tests/projects`` that are images: one for each check of the contract, at least."""

from __future__ import annotations

import pytest
import yaml

from tests.engine.laying import BROKEN, KEEPING, PROJECTS, base_of, is_over, load_broken, recipe_of
from twinforge.smoke.contract import Limits, required_checks
from twinforge.smoke.rules import load_rules

RULES = {one.id for one in load_rules()}


def rule_of(name: str) -> str:
    """Return the rule in a folder's name; behind ``_`` stands in which way it is broken."""
    return name.removeprefix("broken-").partition("_")[0]


def test_every_rule_has_an_image_that_breaks_it_and_every_image_a_rule() -> None:
    assert {rule_of(name) for name in BROKEN} == RULES


@pytest.mark.parametrize("name", BROKEN)
def test_an_image_breaks_a_check_of_its_rule_on_purpose(name: str) -> None:
    broken = load_broken(name)
    checks = {*required_checks(recipe_of(name).smoke), *RULES}
    assert broken.check.partition("[")[0] == rule_of(name)
    assert broken.says.strip()
    assert {broken.check, *broken.too, *broken.perhaps} <= checks
    assert broken.limits.keys() <= set(Limits.__dataclass_fields__)


@pytest.mark.parametrize("name", [*KEEPING, *BROKEN])
def test_an_image_is_laid_over_the_one_that_keeps_the_contract(name: str) -> None:
    assert is_over(name, "keeping")
    known = {"program.patch", "files", "binaries.yaml", "Dockerfile", "broken.yaml"}
    if name != "keeping":
        assert {path.name for path in (PROJECTS / name).iterdir()} <= known
    assert (PROJECTS / name / "broken.yaml").exists() == (name in BROKEN)


@pytest.mark.parametrize("name", [*KEEPING, *BROKEN])
def test_what_is_laid_over_is_in_the_image(name: str) -> None:
    """Lines of its own name the files that it has; without any, there are files."""
    folder = PROJECTS / name
    makes_files = any(
        (folder / one).exists() for one in ("program.patch", "files", "binaries.yaml")
    )
    if (folder / "Dockerfile").exists():
        assert ("COPY files/ /" in (folder / "Dockerfile").read_text()) == makes_files
    else:
        assert makes_files
    described = folder / "binaries.yaml"
    assert not described.exists() or yaml.safe_load(described.read_text())
    assert base_of(name)
