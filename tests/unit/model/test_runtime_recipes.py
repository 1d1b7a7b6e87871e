"""Recipes with the built-in runtime: which files, and what they ask for by themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from twinforge.lock.asked import asked_by
from twinforge.lock.checksum import inputs_checksum
from twinforge.model.load import load_project
from twinforge.model.server import SERVER

if TYPE_CHECKING:
    from twinforge.model.project import Project
    from twinforge.model.recipe import Recipe

PROJECT = Path(__file__).parents[2] / "projects/good-runtime"


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(PROJECT)


def asked(project: Project, recipe: Recipe) -> list[str]:
    variants = [one for one in project.variants if one.recipe == recipe.name]
    return [one.text for one in asked_by(recipe, variants)]


def test_the_folder_of_the_files_is_the_program(project: Project) -> None:
    recipe = project.recipe("tiny")
    assert recipe.program == "code"
    assert recipe.runtime is not None
    assert (recipe.runtime.predictor, recipe.runtime.trainer) == ("predictor.py", "trainer.py")


def test_a_recipe_s_own_choice_replaces_that_of_the_one_it_extends(project: Project) -> None:
    serves, own = project.recipe("serves"), project.recipe("own")
    assert serves.runtime is not None
    assert (serves.runtime.predictor, serves.runtime.trainer) == ("predictor.py", "")
    assert (own.runtime, own.program) == (None, "program")


def test_the_server_is_asked_for_by_the_line_of_the_runtime(project: Project) -> None:
    assert asked(project, project.recipe("tiny")) == [str(Requirement(one)) for one in SERVER]
    assert asked(project, project.recipe("own")) == []
    variant = next(one for one in project.variants if one.recipe == "tiny")
    [first, *_] = asked_by(project.recipe("tiny"), [variant])
    assert str(first.place) == "recipes/tiny.yaml:3:1"


def test_every_part_of_the_server_has_a_lowest_and_a_highest_version() -> None:
    for text in SERVER:
        operators = {one.operator for one in Requirement(text).specifier}
        assert operators == {">=", "<"}, text


def test_a_recipe_that_gets_the_runtime_has_to_be_locked_anew(project: Project) -> None:
    bases = {base.name: base for base in project.matrix.bases}

    def checksum(name: str) -> str:
        variants = [one for one in project.variants if one.recipe == "tiny"]
        recipe = project.recipe(name)
        return inputs_checksum(recipe, variants, bases)

    assert checksum("tiny") != checksum("own")
