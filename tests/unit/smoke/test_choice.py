from __future__ import annotations

import pytest

from twinforge.errors import UsageError
from twinforge.model.recipe import Invocation, Smoke, TrainSmoke
from twinforge.smoke.choice import EVERYTHING, Choice, choose, choose_rules, refuse_nothing
from twinforge.smoke.contract import required

ASK = Invocation("text/csv", "body.csv", 200, "", {}, "", 0.0)
ASKED = required(Smoke(TrainSmoke({"training": "data"}, {}), (ASK, ASK), 30))


def ids(choice: Choice) -> list[str]:
    return [one.id for one in choose(choice, ASKED)]


def test_without_globs_all_is_done() -> None:
    assert choose(EVERYTHING, ASKED) == ASKED


def test_what_is_chosen_brings_what_it_needs_in_the_order_of_the_rules() -> None:
    assert ids(Choice(("serve.stop",))) == ["programs", "train", "serve.ping", "serve.stop"]
    assert ids(Choice(("image.*",))) == ["image.no-entrypoint", "image.user", "image.opt-ml-empty"]


def test_what_is_needed_is_done_even_if_it_was_to_be_skipped() -> None:
    assert ids(Choice(("serve.stop",), ("train*",))) == [
        "programs",
        "train",
        "serve.ping",
        "serve.stop",
    ]


def test_brackets_are_no_glob() -> None:
    assert ids(Choice(("serve.invocations[1]",)))[-1] == "serve.invocations[1]"
    assert ids(Choice(("serve.invocations*",)))[-2:] == [
        "serve.invocations[0]",
        "serve.invocations[1]",
    ]


def test_the_id_of_a_rule_stands_for_each_of_its_checks() -> None:
    named = ids(Choice(("serve.invocations",)))
    assert named[-2:] == ["serve.invocations[0]", "serve.invocations[1]"]
    assert not {"serve.invocations[0]", "serve.invocations[1]"} & set(
        ids(Choice((), ("serve.invocations", "pair.*")))
    )


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        (Choice(("serve.pong",)), "'serve.pong' matches no check; did you mean 'serve.ping'?"),
        (Choice((), ("srve.*",)), "'srve.*' matches no check"),
        (Choice(("train.resumes",)), "'train.resumes' matches no check that applies to these"),
        (Choice(("train",), ("*",)), "no check is left to do"),
    ],
)
def test_a_glob_that_matches_nothing_is_an_error(choice: Choice, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        refuse_nothing(choice, ASKED)
    assert caught.value.message.startswith(says)
    assert "--list" in caught.value.hint


def test_a_choice_that_leaves_something_is_taken() -> None:
    refuse_nothing(Choice(("serve.*",), ("serve.concurrent",)), ASKED)
    assert "serve.concurrent" not in ids(Choice(("serve.*",), ("serve.concurrent",)))


def test_rules_are_chosen_to_be_explained_and_need_no_image() -> None:
    rules = choose_rules(Choice(("serve.*", "pair.*"), ("serve.*",)))
    assert [rule.id for rule in rules] == ["pair.same-answers"]
    with pytest.raises(
        UsageError, match=r"'serv.ping' matches no check; did you mean 'serve.ping'"
    ):
        choose_rules(Choice(("serv.ping",)))
