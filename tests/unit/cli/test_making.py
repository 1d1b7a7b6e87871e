from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tests.unit.world import LOCKED_APT
from twinforge.api import building, smoking
from twinforge.build.progress import Failure
from twinforge.errors import StaleError
from twinforge.smoke.choice import EVERYTHING, Choice, choose
from twinforge.smoke.contract import Check, SmokeReport, required

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Run
    from tests.unit.world import World
    from twinforge.model.recipe import Recipe
    from twinforge.model.variant import Variant

CPU, CUDA, OTHER = (
    "words/cpu-debian12-py3.11",
    "words/cu129-debian12-py3.11",
    "other/cpu-debian12-py3.11",
)


@pytest.fixture
def smoker(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The variants that were smoked; all pass but the one that declares no checks."""
    smoked: list[str] = []

    def run_smoke(
        image: str, recipe: Recipe, variant: Variant, *_: object, choice: Choice, **__: object
    ) -> object:
        smoked.append(variant.id)
        passed = bool(recipe.smoke.invocations)
        asked = choose(choice, required(recipe.smoke))
        checks = tuple(Check(one.id, passed, "", 0.1) for one in asked)
        return SmokeReport(image, variant.id, checks, 1.5, whole=choice == EVERYTHING)

    monkeypatch.setattr(smoking, "run_smoke", run_smoke)
    return smoked


def test_a_plan_says_what_and_why(run: Run, world: World) -> None:
    ran = run("plan")
    assert ran.status == 0
    heading, *rows = ran.out.splitlines()
    assert heading.split() == ["VARIANT", "STATUS", "WHY", "KEY"]
    assert [row.split()[:2] for row in rows] == [[OTHER, "new"], [CPU, "new"], [CUDA, "new"]]
    (node,) = json.loads(run("plan", CPU, "--json").out)
    assert len(node.pop("key")) == 64
    assert node == {
        "variant": CPU,
        "tag": "1.0.0-cpu-debian12-py3.11",
        "status": "new",
        "why": "never built here",
        "image_id": "",
    }
    assert world.buildx.specs == []


def test_results_go_to_standard_output_and_progress_to_errors(run: Run, world: World) -> None:
    ran = run("build", "words")
    assert ran.status == 0
    assert [row.split()[0] for row in ran.out.splitlines()[1:]] == [CPU, CUDA]
    assert f"build {CPU}: started: never built here\n" in ran.err
    assert len(world.buildx.specs) == 2
    quiet = run("--quiet", "build", "other")
    assert (quiet.status, quiet.err) == (0, "")


def test_a_build_in_which_nothing_changed_says_so_the_short_way_and_the_long_way(
    run: Run, world: World
) -> None:
    run("build", "words")
    long_way = run("build", "words")
    assert long_way.out.startswith("nothing changed: 2 of 2 images are up to date\n")
    assert run("build", "words") == long_way
    assert len(world.buildx.specs) == 2
    summary = json.loads(run("build", "words", "--json").out)
    assert [image["is_new"] for image in summary["images"]] == [False, False]
    assert (summary["failures"], summary["skipped"]) == ([], [])
    world.images.tags.pop("ml/words:1.0.0-cpu-debian12-py3.11")
    assert run("build", "words").out == long_way.out
    assert "ml/words:1.0.0-cpu-debian12-py3.11" in world.images.tags


def test_the_short_way_is_not_taken_by_what_asks_for_more(run: Run, world: World) -> None:
    for _ in range(3):
        run("build", CPU)
    assert len(world.buildx.specs) == 1
    assert run("build", CPU, "--force").status == 0
    assert len(world.buildx.specs) == 2
    assert run("build", CPU, "--dry-run").out == "nothing to build\n"
    assert run("build", CPU, "--dry-run", "--json").out == "[]\n"


def test_a_dry_run_prints_commands(run: Run, world: World) -> None:
    ran = run("build", CPU, "--dry-run")
    title, command = ran.out.splitlines()
    assert title == f"# {CPU}: never built here"
    assert command.startswith("docker buildx build --progress=rawjson ")
    (node,) = json.loads(run("build", CPU, "--dry-run", "--json").out)
    assert node["command"] == command
    assert world.buildx.specs == []


def test_a_failed_build_ends_with_1_and_a_table_of_what_failed(run: Run, world: World) -> None:
    world.buildx.failing[CPU] = Failure("wheels-common", 12, LOCKED_APT, "no space left")
    ran = run("build", "words", "--jobs", "1")
    assert ran.status == 1
    images, _, failures = ran.out.partition("\n\n")
    assert [row.split()[0] for row in images.splitlines()[1:]] == [CUDA]
    assert failures.splitlines()[0] == "1 failed"
    assert f"words/variants/{CPU.partition('/')[2]}/Dockerfile:12" in failures
    assert ran.err.endswith(
        "error: 1 of 2 variants did not build\nhint: the log of each is named above\n"
    )
    fast = run("build", "words", "--jobs", "1", "--fail-fast", "--force", "--json")
    assert fast.status == 1
    assert json.loads(fast.out)["skipped"] == [CUDA]
    assert "error: 1 of 2 variants did not build, 1 were not tried\n" in fast.err


def test_a_build_that_only_the_lock_forbids_ends_with_6(
    run: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bool:
        message = "packages moved since the lock"
        raise StaleError(message, hint="lock again")

    monkeypatch.setattr(building, "_follow_moves", refuse)
    world.buildx.failing[CPU] = Failure("system", 5, LOCKED_APT, "E: gone")
    ran = run("build", CPU, "--locked")
    assert ran.status == 6
    assert ran.err.endswith("error: 1 of 1 variants did not build\nhint: lock again\n")


def test_a_smoke_ends_with_0_only_if_every_image_passed(
    run: Run, world: World, smoker: list[str]
) -> None:
    run("build")
    assert len(world.buildx.specs) == 3
    passed = run("smoke", "words")
    assert passed.status == 0
    assert all(row.endswith("passed") for row in passed.out.splitlines()[1:])
    again = run("smoke", "words", "--json")
    assert again.status == 0
    assert [image["smoke"] for image in json.loads(again.out)["images"]] == ["passed", "passed"]
    assert sorted(smoker) == [CPU, CUDA]
    assert run("smoke", "words").out.startswith("nothing changed: 2 of 2 images have passed before")
    failed = run("smoke")
    assert failed.status == 1
    assert "error: 1 of 3 images did not pass\n" in failed.err
    assert smoker[-1] == OTHER
    assert run("smoke", "words", "--again", "--jobs", "1").status == 0
    assert smoker[-2:] == [CPU, CUDA]


def test_the_list_of_checks_needs_no_project(run: Run) -> None:
    ran = run("smoke", "--list")
    assert ran.status == 0
    assert ran.out.splitlines()[0].split() == [
        "CHECK",
        "SEVERITY",
        "APPLIES",
        "TO",
        "WHAT",
        "SOURCE",
    ]
    listed = json.loads(run("smoke", "--list", "--json").out)
    assert {"serve.ping", "train", "pair.same-answers"} <= {rule["id"] for rule in listed}


def test_a_part_of_the_checks_is_shown_and_not_remembered(
    run: Run, world: World, smoker: list[str]
) -> None:
    run("build", "words")
    ran = run("smoke", "words", "--only", "serve.*", "--skip", "serve.concurrent")
    assert ran.status == 0
    assert sorted(smoker) == [CPU, CUDA]
    assert "serve.ping" in ran.out
    assert world.workspace.ledger.smoked == {}
    run("smoke", "words")
    assert len(world.workspace.ledger.smoked) == 2
    run("smoke", "words", "--only", "serve.*")
    assert len(smoker) == 6


@pytest.mark.usefixtures("world")
def test_a_glob_that_matches_no_check_ends_with_2(run: Run, smoker: list[str]) -> None:
    run("build", "words")
    ran = run("smoke", "words", "--only", "serve.pong")
    assert ran.status == 2
    assert "'serve.pong' matches no check; did you mean 'serve.ping'?" in ran.err
    assert smoker == []


def test_junit_xml_is_written_whatever_failed(
    run: Run, world: World, smoker: list[str], tmp_path: Path
) -> None:
    run("build")
    target = tmp_path / "reports" / "smoke.xml"
    assert run("smoke", "--junit", str(target)).status == 1
    suites = ET.fromstring(target.read_text("utf-8"))
    assert [suite.attrib["name"] for suite in suites] == [OTHER, CPU, CUDA]
    assert [suite.attrib["failures"] != "0" for suite in suites] == [True, False, False]
    assert len(smoker) == 3
    assert len(world.workspace.ledger.smoked) == 3
    unwritable = run("smoke", "--again", "--junit", "/dev/null/smoke.xml")
    assert unwritable.status == 2
    assert "'/dev/null/smoke.xml' can't be written" in unwritable.err


def test_a_severity_for_a_check_that_there_is_not_is_told(run: Run, world: World) -> None:
    run("build", "words")
    change = "severities: {serve.pong: {severity: error, because: why not}}"
    world.edit("recipes/words.yaml", "smoke:", f"smoke:\n  {change}")
    ran = run("smoke", "words")
    assert ran.status == 5
    assert ran.err.startswith(
        "recipes/words.yaml:6:16: smoke.severities.serve.pong: 'serve.pong' is no check; did you mean"
    )
