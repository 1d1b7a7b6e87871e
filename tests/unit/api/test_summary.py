from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.world import LOCKED_APT
from twinforge.api.building import BuildOptions, build
from twinforge.api.checks import checks_digest
from twinforge.api.summary import summarise
from twinforge.build.ledger import Smoked
from twinforge.build.progress import Failure
from twinforge.report.summary import FailureRow

if TYPE_CHECKING:
    from tests.unit.world import World

CPU, CUDA = "words/cpu-debian12-py3.11", "words/cu129-debian12-py3.11"
FOLDER = "images/words/variants"


def test_what_was_built_now_and_what_was_there_are_told_apart(world: World) -> None:
    build(world.workspace, world.variants(CPU), BuildOptions())
    world.again()
    done, outcomes = build(world.workspace, world.variants("words"), BuildOptions())
    rows = summarise(world.workspace, done.nodes, built=outcomes).rows
    assert [(row.variant, row.is_new, row.smoke) for row in rows] == [
        (CPU, False, "not run"),
        (CUDA, True, "not run"),
    ]
    assert [(row.size_bytes, row.shared_bytes) for row in rows] == [(120, 100), (120, 100)]


@pytest.mark.parametrize("text", ["", "[]", '{"sha256:x": 7}', '{"sha256:x": {"a": "b"}}'])
def test_an_image_s_layers_are_asked_for_once_whatever_became_of_the_note(
    world: World, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    note = world.workspace.state_dir / "layers.json"
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(text, "utf-8")
    done, outcomes = build(world.workspace, world.variants("words"), BuildOptions())
    first = summarise(world.workspace, done.nodes, built=outcomes).rows

    def asked(image_id: str) -> dict[str, int]:
        raise AssertionError(image_id)

    world.again()
    monkeypatch.setattr(world.workspace.images, "layer_sizes", asked)
    done, outcomes = build(world.workspace, world.variants("words"), BuildOptions())
    again = summarise(world.workspace, done.nodes, built=outcomes).rows
    assert [(row.size_bytes, row.shared_bytes) for row in again] == [
        (row.size_bytes, row.shared_bytes) for row in first
    ]
    assert len(json.loads(note.read_bytes())) == len(again)


def test_a_smoke_counts_while_its_checks_are_those_of_today(world: World) -> None:
    done, outcomes = build(world.workspace, world.variants(CPU), BuildOptions())
    workspace = world.workspace
    checks = checks_digest(workspace, workspace.project.recipe("words"))
    assert outcomes[0].result is not None
    image = outcomes[0].result.image_id
    for passed, said in ((True, "passed"), (False, "failed")):
        workspace.ledger.record_smoke(image, Smoked(passed, checks, 1.5, 3.0))
        (row,) = summarise(workspace, done.nodes, built=outcomes).rows
        assert (row.smoke, row.ping_s) == (said, 1.5)
    workspace.ledger.record_smoke(image, Smoked(True, "others", 1.5, 3.0))  # noqa: FBT003 - passed
    (row,) = summarise(workspace, done.nodes, built=outcomes).rows
    assert (row.smoke, row.ping_s) == ("not run", None)


def test_a_failure_names_stage_lines_and_log_and_what_was_not_tried(world: World) -> None:
    world.buildx.failing[CPU] = Failure("wheels-common", 12, LOCKED_APT, "a\nno space left")
    options = BuildOptions(jobs=1, fail_fast=True)
    done, outcomes = build(world.workspace, world.variants("words"), options)
    summary = summarise(world.workspace, done.nodes, built=outcomes)
    slug = CPU.partition("/")[2]
    assert summary.failures == (
        FailureRow(
            variant=CPU,
            verb="build",
            stage="wheels-common",
            dockerfile=f"{FOLDER}/{slug}/Dockerfile:12",
            recipe="recipes/words.yaml:1:9",
            message=f"{CPU} failed",
            log=f".twinforge/logs/words/{slug}.build.log",
            output="a\nno space left",
        ),
    )
    assert summary.skipped == (CUDA,)
    assert not summary.is_good


def test_a_failure_before_any_stage_names_none(world: World) -> None:
    world.buildx.failing[CPU] = Failure("", 0, LOCKED_APT, "")
    done, outcomes = build(world.workspace, world.variants(CPU), BuildOptions())
    (row,) = summarise(world.workspace, done.nodes, built=outcomes).failures
    assert (row.stage, row.dockerfile) == ("", "")
