from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import twinforge
from twinforge.api import locking
from twinforge.lock.document import read_recipe_lock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.unit.cli.conftest import Run
    from tests.unit.world import World
    from twinforge.api.workspace import Workspace
    from twinforge.lock.resolve import Upgrade

SCHEMAS = Path(twinforge.__file__).parent / "schema"


def test_what_a_check_found_is_json_for_a_machine(run: Run, world: World) -> None:
    ran = run("check", "--json")
    assert ran.status == 0
    assert json.loads(ran.out) == {
        "recipes": ["other", "words"],
        "variants": [variant.id for variant in world.variants()],
        "problems": [],
        "warnings": [],
        "conditions": [],
        "shelved": [],
    }


def test_the_problems_are_json_for_a_machine_too(run: Run, world: World) -> None:
    world.edit("recipes/words.yaml", "version: 1.0.0", "version: 1.0")
    ran = run("check", "--json")
    assert ran.status == 5
    assert json.loads(ran.out) == {
        "problems": [
            {
                "path": "recipes/words.yaml",
                "line": 2,
                "column": 10,
                "where": "version",
                "message": '1.0 is a number here; quote it: "1.0"',
            }
        ]
    }
    assert ran.err.startswith("recipes/words.yaml:2:10: version: 1.0 is a number here")
    assert ran.err.endswith("error: 1 problem in the project's files\n")


def test_locks_and_files_that_follow_from_their_sources_are_right(run: Run, world: World) -> None:
    assert len(world.variants()) == 3
    checked = run("lock", "--check")
    assert (checked.status, checked.out) == (0, "the 2 locks follow from the recipes\n")
    rendered = run("render", "--check")
    assert rendered.status == 0
    assert rendered.out == "the files of 3 variants follow from their sources\n"
    assert run("render").out == "nothing changed\n"


def test_a_stale_lock_ends_with_6(run: Run, world: World) -> None:
    world.edit("recipes/words.yaml", "packages: [libgomp1]", "packages: [curl]")
    ran = run("lock", "--check", "words")
    assert ran.status == 6
    assert ran.err == (
        "error: the lock of 'words' is stale: its recipe or the matrix has changed\n"
        "hint: run `twinforge lock` and commit the result\n"
    )
    assert run("lock", "--check", "other").status == 0


def test_stale_files_end_with_6_and_a_diff_and_are_written_by_name(run: Run, world: World) -> None:
    world.edit("recipes/other.yaml", "version: 2.0.0", "version: 2.0.1")
    stale = run("render", "--check", "other")
    assert stale.status == 6
    assert "\n+      org.opencontainers.image.version=" in stale.err
    folder = "images/other/variants/cpu-debian12-py3.11"
    orphan = f"{folder}/extra.txt"
    (world.root / orphan).touch()
    assert run("render", "other").out == (
        f"wrote {folder}/Dockerfile\nremoved {orphan}\nwrote {folder}/variant.json\n"
    )
    assert run("render", "--check").status == 0


@pytest.mark.parametrize(
    ("arguments", "everything", "packages"),
    [
        ([], False, set()),
        (["--upgrade"], True, set()),
        (["--upgrade", "NumPy"], False, {"numpy"}),
        (["--upgrade", "numpy", "--upgrade", "xgboost-cpu"], False, {"numpy", "xgboost-cpu"}),
    ],
)
def test_what_a_lock_upgrades_is_what_was_named(  # noqa: PLR0913, PLR0917 - fixtures and columns
    run: Run,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    everything: bool,  # noqa: FBT001 - a column of the table
    packages: set[str],
) -> None:
    asked: list[Upgrade] = []

    def lock_recipes(
        workspace: Workspace, recipes: Sequence[str], upgrade: Upgrade
    ) -> tuple[locking.Locked, ...]:
        asked.append(upgrade)
        lock = read_recipe_lock(workspace.root, recipes[0])
        assert lock is not None
        return (locking.Locked(lock, ("numpy: 1.0 -> 2.0",)),)

    monkeypatch.setattr(locking, "lock_recipes", lock_recipes)
    assert len(world.variants()) == 3
    ran = run("lock", *arguments)
    assert ran.status == 0, ran.err
    assert ran.out == "other: 1 change\n  numpy: 1.0 -> 2.0\n"
    (upgrade,) = asked
    assert (upgrade.everything, set(upgrade.packages)) == (everything, packages)


def test_a_check_upgrades_nothing(run: Run, world: World) -> None:
    assert len(world.variants()) == 3
    ran = run("lock", "--check", "--upgrade")
    assert ran.status == 2
    assert ran.err.startswith("error: --check changes nothing, and --upgrade does\n")


def test_a_package_that_no_lock_holds_is_not_upgraded(run: Run, world: World) -> None:
    assert len(world.variants()) == 3
    ran = run("lock", "--upgrade", "nunpy")
    assert ran.status == 2
    assert ran.err == "error: no lock holds the package 'nunpy'; did you mean 'numpy'?\n"


@pytest.mark.parametrize("kind", ["recipe", "matrix"])
def test_a_schema_is_the_one_that_the_files_name(run: Run, kind: str) -> None:
    shipped = (SCHEMAS / f"{kind}.schema.json").read_text("utf-8")
    assert json.loads(run("schema", kind).out) == json.loads(shipped)


def test_a_check_says_what_can_not_work_and_what_works_on_a_condition(
    run: Run, world: World
) -> None:
    served = "serves:\n  hosting:\n    ml.g4dn.xlarge: {accelerator: cu129}\n"
    world.edit("matrix.yaml", "aliases:", f"{served}aliases:")
    fine = run("check")
    assert fine.status == 0
    assert "note: words/cu129-debian12-py3.11 on ml.g4dn.xlarge (hosting): works on" in fine.err
    world.edit("matrix.yaml", "ml.g4dn.xlarge", "ml.p2.xlarge")
    wrong = run("check")
    assert wrong.status == 5
    assert "matrix.yaml:13:5: words/cu129-debian12-py3.11 on ml.p2.xlarge" in wrong.err
    assert "hint: `twinforge compat explain` says more" in wrong.err
    found = json.loads(run("check", "--json").out)
    assert [problem["line"] for problem in found["problems"]] == [13]


def test_check_refuses_a_severity_for_no_check_with_its_place(run: Run, world: World) -> None:
    change = "severities: {serve.pong: {severity: error, because: why not}}"
    world.edit("recipes/words.yaml", "smoke:", f"smoke:\n  {change}")
    ran = run("check")
    assert ran.status == 5
    assert ran.err.startswith(
        "recipes/words.yaml:6:16: smoke.severities.serve.pong: "
        "'serve.pong' is no check; did you mean 'serve.ping'?"
    )
    assert "see `twinforge smoke --list`" in ran.err
    (problem,) = json.loads(run("check", "--json").out)["problems"]
    assert (problem["line"], problem["column"]) == (6, 16)
