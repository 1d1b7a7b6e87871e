"""A severity is for a check that there is, wherever it is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from twinforge.api.checks import checks_digests
from twinforge.api.severities import refuse_unknown_severities, severity_problems
from twinforge.errors import ProjectError

if TYPE_CHECKING:
    from tests.unit.world import World

ASK = "invocations: [{content_type: text/csv, body: row.csv}"


def severity(name: str) -> str:
    return f"severities: {{{name}: {{severity: warning, because: under work}}}}"


def told(world: World) -> list[str]:
    return [str(problem) for problem in severity_problems(world.workspace.project)]


def add(world: World, text: str) -> None:
    """Put lines before ``smoke``, which is the fifth."""
    world.edit("recipes/words.yaml", "smoke:\n", f"{text}\nsmoke:\n")


@pytest.mark.parametrize(
    "name", ["serve.ping", "cuda.once", "serve.invocations", "'serve.invocations[0]'"]
)
def test_a_check_of_the_contract_or_of_the_recipe_s_own_requests_is_right(
    world: World, name: str
) -> None:
    world.edit("recipes/words.yaml", "smoke:\n", f"smoke:\n  {severity(name)}\n")
    assert told(world) == []


def test_what_is_no_check_is_told_once_with_its_place_and_what_was_meant(world: World) -> None:
    world.edit("recipes/words.yaml", "smoke:\n", f"smoke:\n  {severity('serve.pong')}\n")
    world.edit("recipes/other.yaml", "program: program\n", "extends: words\n")
    assert told(world) == [
        (
            "recipes/words.yaml:6:16: smoke.severities.serve.pong: "
            "'serve.pong' is no check; did you mean 'serve.ping'?"
        )
    ]


def test_a_request_that_the_recipe_does_not_have_has_no_check(world: World) -> None:
    name = "serve.invocations[1]"
    world.edit("recipes/words.yaml", "smoke:\n", f"smoke:\n  {severity(repr(name))}\n")
    (problem,) = told(world)
    assert problem.startswith(f"recipes/words.yaml:6:16: smoke.severities.{name}: ")
    assert problem.endswith("did you mean 'serve.invocations[0]'?")


def test_a_request_that_an_override_adds_has_a_check(world: World) -> None:
    twice = f"{ASK}, {{content_type: text/csv, body: row.csv}}]"
    both = f"{severity(repr('serve.invocations[1]'))[:-1]}}}, {twice}"
    add(world, f"overrides: [{{when: kind == cuda, smoke: {{{both}}}}}]")
    assert told(world) == []


def test_an_override_s_own_is_told_with_the_line_of_the_override(world: World) -> None:
    add(world, f"overrides:\n- when: kind == cuda\n  smoke: {{{severity('cuda.onse')}}}")
    assert told(world) == [
        (
            "recipes/words.yaml:7:24: smoke.severities.cuda.onse: "
            "'cuda.onse' is no check; did you mean 'cuda.once'?"
        )
    ]
    cpu = [one for one in world.variants("words") if not one.accelerator.cuda]
    refuse_unknown_severities(world.workspace.project, cpu)
    with pytest.raises(ProjectError, match=r"cuda\.onse"):
        refuse_unknown_severities(world.workspace.project, world.variants("words"))


def test_what_is_shelved_is_looked_at_too(world: World) -> None:
    override = f"overrides: [{{when: kind == cuda, smoke: {{{severity('cuda.onse')}}}}}]"
    add(world, f"{override}\nshelved: [{{when: kind == cuda, reason: no index}}]")
    (problem,) = told(world)
    assert "'cuda.onse' is no check" in problem


def test_a_severity_whose_line_moves_asks_nothing_else_of_the_image(world: World) -> None:
    world.edit("recipes/words.yaml", "smoke:\n", f"smoke:\n  {severity('serve.ping')}\n")
    before = checks_digests(world.workspace, world.variants())
    add(world, "# a comment")
    assert checks_digests(world.workspace, world.variants()) == before
