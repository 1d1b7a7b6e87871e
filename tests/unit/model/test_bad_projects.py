"""Every little project in ``tests/projects``: the good load, the bad say exactly what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from twinforge.errors import ProjectError
from twinforge.model.load import load_project

PROJECTS = Path(__file__).parents[2] / "projects"
GOOD = sorted(path.name for path in PROJECTS.glob("good-*"))
BAD = sorted(path.name for path in PROJECTS.glob("bad-*"))
IMAGES = sorted(  # which tests/engine/laying.py makes
    path.name for glob in ("keeping*", "broken-*") for path in PROJECTS.glob(glob)
)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_project_says_exactly_what_is_wrong(name: str) -> None:
    with pytest.raises(ProjectError) as caught:
        load_project(PROJECTS / name)
    assert str(caught.value) == (PROJECTS / name / "expected.txt").read_text().rstrip("\n")
    assert caught.value.exit_status == 5


@pytest.mark.parametrize("name", GOOD)
def test_a_good_project_loads(name: str) -> None:
    assert load_project(PROJECTS / name).variants


def test_there_are_projects_of_both_kinds_and_no_others_but_images() -> None:
    assert GOOD
    assert BAD
    assert sorted(path.name for path in PROJECTS.iterdir()) == sorted(GOOD + BAD + IMAGES)


def test_only_bad_projects_expect_a_message() -> None:
    assert sorted(path.parent.name for path in PROJECTS.glob("*/expected.txt")) == BAD


@pytest.mark.parametrize("name", BAD)
def test_every_message_is_one_line_that_an_editor_can_jump_to(name: str) -> None:
    with pytest.raises(ProjectError) as caught:
        load_project(PROJECTS / name)
    assert all(str(problem).isprintable() for problem in caught.value.problems)
    assert list(caught.value.problems) == sorted(caught.value.problems)


def test_the_checkout_kept_what_is_executable() -> None:
    for name in ("good-minimal/program/train", "good-minimal/program/serve"):
        assert (PROJECTS / name).stat().st_mode & 0o111
    assert not (PROJECTS / "bad-program-not-executable/program/serve").stat().st_mode & 0o111
