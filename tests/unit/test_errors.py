from __future__ import annotations

import inspect
import re

import pytest

from twinforge import errors
from twinforge.errors import CommandError, Problem, ProjectError, TwinforgeError

LINE = re.compile(
    r"^ {4}(?P<indent>(?:[|` ] {3})*(?:[|`]-- )?)(?P<name>[A-Z]\w+Error)(?: \[(?P<status>\d+)\])? {2,}(?P<words>\S.*)$"
)


def drawn() -> dict[str, tuple[str, int]]:
    """Read the tree of the docstring: class -> (its parent, its exit status)."""
    found: dict[str, tuple[str, int]] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = LINE.match(line)
        if match is None:
            continue
        depth = len(match["indent"]) // 4
        del above[depth:]
        parent = above[-1] if above else "Exception"
        inherited = found[parent][1] if above else 0
        found[match["name"]] = (parent, int(match["status"] or inherited))
        above.append(match["name"])
    return found


def defined() -> dict[str, type[TwinforgeError]]:
    classes = inspect.getmembers(errors, inspect.isclass)
    return {name: value for name, value in classes if issubclass(value, TwinforgeError)}


def test_the_drawn_tree_is_the_tree() -> None:
    real = {
        name: (value.__bases__[0].__name__, value.exit_status) for name, value in defined().items()
    }
    assert drawn() == real


def test_every_error_has_one_parent() -> None:
    assert {name for name, value in defined().items() if len(value.__bases__) != 1} == set()


def test_no_exit_status_means_success_or_interruption_or_a_shells_own() -> None:
    statuses = {value.exit_status for value in defined().values()}
    assert statuses <= set(range(1, 126))


def test_all_is_complete_and_sorted() -> None:
    here = [
        name
        for name, value in vars(errors).items()
        if getattr(value, "__module__", "") == errors.__name__
    ]
    assert errors.__all__ == sorted(here)


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (
            Problem("matrix.yaml", 3, 7, "axes.os", "no such base"),
            "matrix.yaml:3:7: axes.os: no such base",
        ),
        (Problem("matrix.yaml", 0, 0, "", "is not there"), "matrix.yaml: is not there"),
    ],
)
def test_a_problem_reads_as_editors_expect_it(problem: Problem, text: str) -> None:
    assert str(problem) == text


def test_a_project_error_holds_all_problems_in_the_order_of_the_files() -> None:
    late, early = Problem("b.yaml", 2, 1, "", "late"), Problem("a.yaml", 9, 1, "", "early")
    error = ProjectError([late, early], hint="run `twinforge schema`")
    assert error.problems == (early, late)
    assert str(error) == "a.yaml:9:1: early\nb.yaml:2:1: late"
    assert error.hint == "run `twinforge schema`"


def test_a_command_error_names_program_status_and_last_line() -> None:
    error = CommandError(["uv", "pip", "compile"], 2, "resolving\nno solution found\n")
    assert (error.argv, error.status) == (("uv", "pip", "compile"), 2)
    assert str(error) == "uv ended with status 2: no solution found"
