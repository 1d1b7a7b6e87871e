from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from twinforge.api import smoking
from twinforge.api.building import BuildOptions, build
from twinforge.api.checks import checks_digest
from twinforge.api.smoking import smoke
from twinforge.errors import SmokeError
from twinforge.events import State
from twinforge.smoke.contract import Check, SmokeReport, required_checks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.unit.world import World
    from twinforge.model.recipe import Recipe
    from twinforge.model.variant import Variant

CPU, CUDA = "words/cpu-debian12-py3.11", "words/cu129-debian12-py3.11"


class Smoker:
    """Answers for images in memory; what ``failing`` names fails."""

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.interrupted = False
        self.smoked: list[str] = []
        self.locked: Mapping[str, str] = {}

    def __call__(
        self,
        image: str,
        recipe: Recipe,
        variant: Variant,
        locked: Mapping[str, str],
        **options: object,
    ) -> SmokeReport:
        assert recipe.name == variant.recipe
        cancelled = options["cancelled"]
        assert isinstance(cancelled, threading.Event)
        if self.interrupted:
            cancelled.set()
        self.smoked.append(variant.id)
        self.locked = locked
        failed = variant.id in self.failing
        checks = tuple(Check(name, True, "", 0.1) for name in required_checks(recipe.smoke))  # noqa: FBT003 - passed
        if failed:
            answer = "no answer\nwithin 30 s"
            checks = tuple(
                replace(one, passed=False, detail=answer) if one.id == "serve.ping" else one
                for one in checks
            )
        return SmokeReport(image, variant.id, checks, 0.0 if failed else 1.5)


@pytest.fixture
def smoker(monkeypatch: pytest.MonkeyPatch) -> Smoker:
    found = Smoker()
    monkeypatch.setattr(smoking, "run_smoke", found)
    return found


def test_what_is_not_built_is_not_smoked(world: World, smoker: Smoker) -> None:
    build(world.workspace, world.variants(CPU), BuildOptions())
    with pytest.raises(SmokeError, match=r"^1 of 2 variants are not built: words/cu129\S+ \(never"):
        smoke(world.workspace, world.variants("words"))
    assert smoker.smoked == []


def test_an_image_that_passed_is_not_smoked_again(world: World, smoker: Smoker) -> None:
    build(world.workspace, world.variants("words"), BuildOptions())
    nodes, outcomes = smoke(world.workspace, world.variants("words"), jobs=1)
    assert [node.variant.id for node in nodes] == [CPU, CUDA]
    assert [outcome.result is not None for outcome in outcomes] == [True, True]
    assert smoker.locked == {"numpy": "1.0", "xgboost-cu129": "1.0"}
    world.again()
    nodes, outcomes = smoke(world.workspace, world.variants("words"), jobs=1)
    assert (len(nodes), outcomes) == (2, ())
    _, outcomes = smoke(world.workspace, world.variants("words"), jobs=1, again=True)
    assert len(outcomes) == 2


def test_a_failed_check_is_told_recorded_and_tried_again(world: World, smoker: Smoker) -> None:
    build(world.workspace, world.variants("words"), BuildOptions())
    smoker.failing = {CPU}
    _, (cpu, cuda) = smoke(world.workspace, world.variants("words"), jobs=1)
    assert cuda.result is not None
    assert isinstance(cpu.error, SmokeError)
    assert "serve.ping: no answer\nwithin 30 s" in cpu.error.message
    failed = [event.text for event in world.events if event.state is State.FAILED]
    assert failed == ["serve.ping: no answer"]
    world.again()
    smoker.failing = set()
    _, outcomes = smoke(world.workspace, world.variants("words"), jobs=1)
    assert [outcome.task.variant.id for outcome in outcomes] == [CPU]


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("row.csv", "1,2", "3,4"),
        ("recipes/words.yaml", "body: row.csv", "body: row.csv, status: 400"),
    ],
)
def test_other_checks_are_asked_of_an_image_that_passed(
    world: World, smoker: Smoker, path: str, old: str, new: str
) -> None:
    build(world.workspace, world.variants(CPU), BuildOptions())
    smoke(world.workspace, world.variants(CPU))
    before = checks_digest(world.workspace, world.workspace.project.recipe("words"))
    world.edit(path, old, new)
    assert checks_digest(world.workspace, world.workspace.project.recipe("words")) != before
    _, outcomes = smoke(world.workspace, world.variants(CPU))
    assert len(outcomes) == 1
    assert smoker.smoked == [CPU, CPU]


def test_a_smoke_that_was_interrupted_is_neither_passed_nor_failed(
    world: World, smoker: Smoker
) -> None:
    build(world.workspace, world.variants(CPU), BuildOptions())
    smoker.failing, smoker.interrupted = {CPU}, True
    _, (outcome,) = smoke(world.workspace, world.variants(CPU))
    assert str(outcome.error) == f"the smoke of {CPU} was cancelled"
    assert world.workspace.ledger.smoked == {}
    world.again()
    assert world.workspace.ledger.smoked == {}
