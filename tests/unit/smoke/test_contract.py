from __future__ import annotations

from dataclasses import replace

import pytest

from twinforge.model.place import Place
from twinforge.model.recipe import (
    CommandSmoke,
    Invocation,
    SeverityChange,
    Smoke,
    TrainSmoke,
)
from twinforge.smoke.contract import (
    Check,
    Partner,
    SmokeReport,
    invocation_check,
    required,
    required_checks,
)
from twinforge.smoke.rules import Severity, load_rules

PLACE = Place("recipes/digits.yaml", 9, 5)
TRAIN = TrainSmoke({"training": "data"}, {})
ASK = Invocation("text/csv", "body.csv", 200, "", {}, "", 0.0)
IMAGE = ("image.no-entrypoint", "image.user", "image.opt-ml-empty", "programs", "installed")


def report(*names: str, failing: str = "") -> SmokeReport:
    checks = tuple(Check(name, name != failing, "", 0.1) for name in names)
    return SmokeReport("sha256:0", "digits/cpu", checks, 1.0)


def test_everything_is_required_in_the_order_of_the_rules() -> None:
    assert required_checks(Smoke(TRAIN, (ASK, ASK), 30)) == (
        *IMAGE,
        "binaries.complete",
        "cuda.none",
        "cuda.no-driver",
        "train",
        "train.no-network",
        "train.no-installer",
        "train.fails-properly",
        "train.unknown-hyperparameter",
        "train.missing-channel",
        "train.stop",
        "serve.ping",
        "serve.no-network",
        "serve.invocations[0]",
        "serve.invocations[1]",
        "serve.connect",
        "serve.pid-1",
        "serve.unknown-headers",
        "serve.keep-alive",
        "serve.wrong-content-type",
        "serve.empty-body",
        "serve.malformed-body",
        "serve.unknown-path",
        "serve.wrong-method",
        "serve.large-body",
        "serve.concurrent",
        "serve.ping-under-load",
        "serve.connect-under-load",
        "serve.survives",
        "serve.no-installer",
        "serve.stop",
        "model.read-only",
        "serve.bind-port",
    )


@pytest.mark.parametrize(
    ("smoke", "more"),
    [
        (
            Smoke(replace(TRAIN, resumes="resuming"), (ASK,), 30),
            {"train.checkpoints", "train.resumes"},
        ),
        (
            Smoke(TRAIN, (ASK,), 30, read_only_root=True),
            {"serve.read-only-root", "train.read-only-root"},
        ),
        (Smoke(TRAIN, (ASK,), 30, user="nobody"), {"serve.user"}),
        (
            Smoke(TRAIN, (ASK,), 30, commands=(CommandSmoke("imports", ("true",), 0, ""),)),
            {"image.commands[imports]"},
        ),
    ],
)
def test_what_a_recipe_declares_is_checked(smoke: Smoke, more: set[str]) -> None:
    plain = set(required_checks(Smoke(TRAIN, (ASK,), 30)))
    assert set(required_checks(smoke)) - plain == more


def test_a_training_run_without_channels_misses_none() -> None:
    required = required_checks(Smoke(TrainSmoke({}, {}), (ASK,), 30))
    assert "train.missing-channel" not in required
    assert "train.fails-properly" in required


def test_a_partner_that_is_not_built_is_a_warning() -> None:
    smoke = Smoke(TRAIN, (ASK,), 30)
    for image_id, severity in (("sha256:1", Severity.ERROR), ("", Severity.WARNING)):
        (pair,) = (
            one
            for one in required(smoke, cuda="12.9", partner=Partner("digits/cpu", image_id))
            if one.id == "pair.same-answers"
        )
        assert pair.severity is severity
    assert "pair.same-answers" not in required_checks(smoke, cuda="12.9")


def test_a_recipe_may_count_a_check_otherwise_also_one_item_of_several() -> None:
    changes = {
        "serve.keep-alive": SeverityChange("error", "our proxy needs it", PLACE),
        "serve.invocations[1]": SeverityChange("warning", "under work", PLACE),
    }
    asked = {
        one.id: one.severity for one in required(Smoke(None, (ASK, ASK), 3, severities=changes))
    }
    assert asked["serve.keep-alive"] is Severity.ERROR
    assert asked["serve.invocations[0]"] is Severity.ERROR
    assert asked["serve.invocations[1]"] is Severity.WARNING


def test_a_failed_warning_fails_no_report_and_a_part_passes_none() -> None:
    whole = report(*IMAGE, "train", "serve.keep-alive")
    warned = replace(
        whole,
        checks=(
            *whole.checks[:-1],
            Check("serve.keep-alive", False, "closed", 0.1, Severity.WARNING),  # noqa: FBT003 - passed
        ),
    )
    assert warned.passed
    assert not replace(whole, whole=False).passed


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
