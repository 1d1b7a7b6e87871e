from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from twinforge import process
from twinforge.api import recall as module
from twinforge.api.building import BuildOptions, build, references_of
from twinforge.api.recall import recall, remember
from twinforge.api.summary import summarise
from twinforge.process import Completed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.unit.world import World
    from twinforge.report.summary import BuildSummary

SELECTORS = ("words",)


class Engine:
    """Answers ``docker image inspect`` from the images in memory."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.asked = 0

    def __call__(self, argv: Sequence[str], **options: object) -> Completed:
        assert options["check"] is False
        assert argv[:3] == ["docker", "--host", "unix:///e.sock"]
        self.asked += 1
        found = [self.world.images.tags.get(name, "") for name in argv[7:]]
        return Completed(tuple(argv), 0 if all(found) else 1, "\n".join(found), "")


@pytest.fixture
def engine(world: World, monkeypatch: pytest.MonkeyPatch) -> Engine:
    found = Engine(world)
    monkeypatch.setattr(process, "run", found)
    return found


@pytest.fixture
def noted(world: World, engine: Engine) -> BuildSummary:
    """The summary of a run that found everything up to date and left its note."""
    assert engine.asked == 0
    build(world.workspace, world.variants(*SELECTORS), BuildOptions())
    world.again()
    done, outcomes = build(world.workspace, world.variants(*SELECTORS), BuildOptions())
    assert outcomes == ()
    summary = summarise(world.workspace, done.nodes)
    references = references_of(world.workspace, done.nodes)
    remember(world.workspace, SELECTORS, done.nodes, references, summary)
    return summary


def ask(world: World, *selectors: str, **environ: str) -> BuildSummary | None:
    known = {**world.workspace.environ, **environ}
    return recall(world.root, known, selectors or SELECTORS)


def test_without_a_note_nothing_is_recalled(world: World, engine: Engine) -> None:
    assert ask(world) is None
    assert engine.asked == 0


def test_a_run_in_which_nothing_changed_is_answered_as_the_last_one(
    world: World, noted: BuildSummary
) -> None:
    assert ask(world) == noted
    assert [row.is_new for row in noted.rows] == [False, False]


@pytest.mark.parametrize(
    "path",
    [
        "matrix.yaml",
        "recipes/words.yaml",
        "images/bases.lock.json",
        "images/words/lock.json",
        "images/words/variants/cpu-debian12-py3.11/Dockerfile",
        "program/serve",
        "row.csv",
        ".twinforge/ledger.json",
    ],
)
def test_any_file_that_decides_the_answer_is_looked_at(
    world: World, noted: BuildSummary, path: str
) -> None:
    assert ask(world) == noted
    file = world.root / path
    was = file.stat()
    file.write_text(f"{file.read_text('utf-8')} ", "utf-8")
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert ask(world) is None


@pytest.mark.parametrize(
    "path",
    [
        *("recipes/new.yaml", "images/words/variants/new/Dockerfile", "program/new"),
        *("program/lib/new", ".twinforge/moved.json", "compat/frameworks.yaml"),
    ],
)
def test_a_new_file_is_seen(world: World, noted: BuildSummary, path: str) -> None:
    assert ask(world) == noted
    (world.root / path).parent.mkdir(parents=True, exist_ok=True)
    (world.root / path).write_text("")
    assert ask(world) is None


def test_a_mode_and_a_time_count_as_content_does(world: World, noted: BuildSummary) -> None:
    file = world.root / "program/serve"
    was = file.stat()
    file.chmod(0o700)
    assert ask(world) is None
    file.chmod(was.st_mode)
    assert ask(world) == noted
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns + 1))
    assert ask(world) is None


def test_links_that_lead_back_are_not_followed_for_ever(world: World, engine: Engine) -> None:
    assert engine.asked == 0
    for name in ("one", "two", "three"):
        (world.root / "program" / name).symlink_to(".")
    world.again()
    done, _ = build(world.workspace, world.variants(*SELECTORS), BuildOptions())
    summary = summarise(world.workspace, done.nodes)
    remember(world.workspace, SELECTORS, done.nodes, {"a": "b"}, summary)
    assert ask(world) is None  # the engine has no such image


def test_another_engine_or_other_selectors_are_another_question(
    world: World, noted: BuildSummary, engine: Engine
) -> None:
    assert ask(world, DOCKER_HOST="unix:///other.sock") is None
    assert ask(world, "words", "other") is None
    assert engine.asked == 0
    assert ask(world) == noted


def test_images_that_are_gone_or_others_are_no_answer(world: World, noted: BuildSummary) -> None:
    assert ask(world) == noted
    for reference, image_id in world.images.tags.copy().items():
        del world.images.tags[reference]
        assert ask(world) is None
        world.images.tags[reference] = f"sha256:{'0' * 64}"
        assert ask(world) is None
        world.images.tags[reference] = image_id
    assert ask(world) == noted


def test_another_uv_or_another_twinforge_is_another_answer(
    world: World, noted: BuildSummary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(world) == noted
    monkeypatch.setattr(module, "_folder_of", lambda name: tmp_path / name)
    assert ask(world) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 0}', "\xff"])
def test_a_broken_note_is_no_note(world: World, noted: BuildSummary, text: str) -> None:
    assert ask(world) == noted
    note = world.root / ".twinforge/unchanged.json"
    assert json.loads(note.read_text("utf-8"))["format"] == 2
    note.write_text(text, "latin-1")
    assert ask(world) is None
