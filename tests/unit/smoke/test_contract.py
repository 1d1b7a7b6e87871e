from __future__ import annotations

from dataclasses import replace

import pytest

from twinforge.model.recipe import Invocation, Smoke, TrainSmoke
from twinforge.smoke.contract import Check, SmokeReport, invocation_check, required_checks
from twinforge.smoke.rules import load_rules

TRAIN = TrainSmoke({"training": "data"}, {})
ASK = Invocation("text/csv", "body.csv", 200, "", {}, "", 0.0)
IMAGE = ("image.no-entrypoint", "programs", "installed")


def report(*names: str, failing: str = "") -> SmokeReport:
    checks = tuple(Check(name, name != failing, "", 0.1) for name in names)
    return SmokeReport("sha256:0", "digits/cpu", checks, 1.0)


def test_everything_is_required_in_the_order_of_the_rules() -> None:
    assert required_checks(Smoke(TRAIN, (ASK, ASK), 30)) == (
        *IMAGE,
        "train",
        "train.fails-properly",
        "serve.ping",
        "serve.invocations[0]",
        "serve.invocations[1]",
        "serve.stop",
        "model.read-only",
    )


def test_a_recipe_that_only_serves_need_not_train() -> None:
    required = required_checks(Smoke(None, (ASK,), 30))
    assert "train" not in required
    assert "serve.invocations[0]" in required


def test_a_recipe_that_declares_nothing_is_still_required_to_train_and_serve() -> None:
    assert {"train", "serve.ping"} <= set(required_checks(Smoke(None, (), 30)))


def test_a_report_passes_when_all_its_checks_passed() -> None:
    assert report(*IMAGE, "train", "serve.ping").passed


@pytest.mark.parametrize("failing", [*IMAGE, "train"])
def test_one_failed_check_is_a_failed_report(failing: str) -> None:
    assert not report(*IMAGE, "train", failing=failing).passed


def test_a_report_without_checks_has_not_passed() -> None:
    assert not report().passed


@pytest.mark.parametrize("absent", IMAGE)
def test_a_report_in_which_a_rule_for_all_images_is_absent_has_not_passed(absent: str) -> None:
    names = [name for name in (*IMAGE, "train") if name != absent]
    assert not report(*names).passed


def test_a_report_that_neither_trained_nor_served_has_not_passed() -> None:
    assert not report(*IMAGE).passed


def test_every_rule_says_what_and_who_says_so() -> None:
    assert len({rule.id for rule in load_rules()}) == len(load_rules())
    for rule in load_rules():
        assert rule.what.endswith(".")
        assert rule.source


def test_invocations_are_counted_from_zero() -> None:
    smoke = replace(Smoke(None, (ASK,), 30), invocations=(ASK,) * 3)
    assert [name for name in required_checks(smoke) if "invocations" in name] == [
        invocation_check(0),
        invocation_check(1),
        invocation_check(2),
    ]
