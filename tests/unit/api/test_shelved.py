"""Variants that a recipe shelves: on record, checked, and not made."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from twinforge.api.compatibility import check_compatibility
from twinforge.api.locking import check_locks
from twinforge.api.workspace import Workspace
from twinforge.errors import UsageError

if TYPE_CHECKING:
    from tests.unit.world import World

TODAY = date(2026, 6, 1)
SHELF = "shelved:\n  - {when: kind == cuda, reason: its base is gone}\nprogram:"


@pytest.fixture
def shelving(world: World) -> World:
    world.edit("recipes/words.yaml", "program:", SHELF)
    return world


def test_what_is_shelved_is_in_no_selection_and_the_reason_is_given(shelving: World) -> None:
    assert [one.id for one in shelving.variants()] == [
        "other/cpu-debian12-py3.11",
        "words/cpu-debian12-py3.11",
    ]
    with pytest.raises(UsageError) as caught:
        shelving.variants("words/cu129-debian12-py3.11")
    assert caught.value.hint == "'words/cu129-debian12-py3.11' is shelved: its base is gone"


def test_what_speaks_against_it_is_said_and_is_no_problem(shelving: World) -> None:
    rule = "exclude: [{recipe: other, accelerator: cu129}]\n"
    serves = "serves:\n  hosting:\n    ml.p2.xlarge: {accelerator: cu129}\n"
    shelving.edit("matrix.yaml", rule, rule + serves)
    found = check_compatibility(shelving.workspace, TODAY)
    assert (found.problems, found.warnings) == ((), ())
    reason, against = found.shelved
    expected = "recipes/words.yaml:5:5: words/cu129-debian12-py3.11: its base is gone"
    assert str(reason) == expected
    assert "CUDA 12.9 knows compute capabilities 5.0 to 12.1" in against.message


def test_a_recipe_of_which_all_is_shelved_needs_no_lock(world: World) -> None:
    world.edit("recipes/other.yaml", "program:", SHELF.replace("when: kind == cuda, ", ""))
    (world.root / "images/other/lock.json").unlink()
    world.again()
    check_locks(world.workspace, ["words", "other"])
    assert {one.recipe for one in world.variants()} == {"words"}


def test_a_python_that_nothing_can_be_locked_for_is_a_problem(world: World) -> None:
    world.edit("matrix.yaml", 'python: ["3.11"]', 'python: ["3.5"]')
    found = check_compatibility(world.workspace, TODAY)
    assert any(
        "Python 3.5 is older than any that uv resolves for (3.6)" in problem.message
        for problem in found.problems
    )


def test_a_library_of_cuda_that_the_base_lacks_is_a_problem_before_anything_is_locked(
    world: World,
) -> None:
    world.edit("recipes/words.yaml", "program:", "cuda: {libraries: [cublas]}\nprogram:")
    (problem,) = check_compatibility(world.workspace, TODAY).problems
    assert problem.message.startswith(
        "words/cu129-debian12-py3.11: there is no data on CUDA 12.9's"
    )
    assert problem.path == "recipes/words.yaml"


def test_what_is_left_of_2018_is_told_piece_by_piece(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    workspace = Workspace(root, {}, tmp_path / "engine", tmp_path / "cache")
    found = "\n".join(map(str, check_compatibility(workspace, TODAY).shelved))
    for gone in (
        "whether nvidia/cuda:9.0-base-ubuntu16.04 can still be pulled: it is in none of NVIDIA's lists",
        "Python 3.5 is older than any that uv resolves for (3.6)",
        "tensorflow 1.6.0 asks, through tensorboard, for html5lib==0.9999999, of which the default",
        "tensorflow-gpu 1.6.0 asks, through tensorboard, for html5lib==0.9999999, of which the default",
        "keras 2.1.5 asks for pyyaml, of which the default index has no wheel for Python 3.5",
        "ubuntu-16.04 is past its end of life",
    ):
        assert gone in found


def test_what_has_no_wheel_is_a_problem_of_the_line_that_asks_for_it(world: World) -> None:
    for lock in world.root.rglob("*lock*"):
        lock.unlink()
    pins = "python:\n  packages:\n    - tensorflow==1.15.0\n    - keras==2.1.5\n"
    world.edit("recipes/words.yaml", "program:", f"{pins}program:")
    problems = [
        p for p in check_compatibility(world.workspace, TODAY).problems if "asks" in p.message
    ]
    (problem,) = problems
    assert (problem.path, problem.line) == ("recipes/words.yaml", 6)
    assert "tensorflow 1.15.0 asks for gast==0.2.2, of which the default" in problem.message
    # an index of one's own may have it
    own = "python:\n  indexes: [https://wheels.example.com/simple/]\n"
    world.edit("recipes/words.yaml", "python:\n", own)
    found = check_compatibility(world.workspace, TODAY).problems
    assert not [p for p in found if "asks" in p.message]
