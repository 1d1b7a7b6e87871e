from __future__ import annotations

import json
from dataclasses import replace

import pytest

from twinforge.errors import SmokeError
from twinforge.model.recipe import Invocation
from twinforge.smoke.answers import Answer, judge_answer

ASK = Invocation("text/csv", "body.csv", 200, "", {}, "", 0.0)


def answer(document: object, *, status: int = 200, kind: str = "application/json") -> Answer:
    return Answer(status, kind, json.dumps(document).encode())


def refusal(invocation: Invocation, given: Answer, labels: tuple[object, ...] = ()) -> str:
    with pytest.raises(SmokeError) as caught:
        judge_answer(invocation, given, labels)
    return caught.value.message


def test_an_answer_of_the_right_status_is_enough_when_nothing_else_is_asked() -> None:
    assert judge_answer(ASK, Answer(200, "text/plain", b"anything"), ()) == "status 200"


def test_another_status_is_refused_with_what_the_server_said() -> None:
    given = answer({"error": "no rows"}, status=400)
    assert refusal(ASK, given) == 'the status is 400, not 200: {"error": "no rows"}'


def test_an_error_can_be_what_is_asked_for() -> None:
    ask = replace(ASK, status=415, json={"/error": "only CSV"})
    assert judge_answer(ask, answer({"error": "only CSV"}, status=415), ()) == (
        'status 415, /error is "only CSV"'
    )


def test_a_pointer_finds_values_in_objects_and_arrays() -> None:
    ask = replace(ASK, json={"/a/1/b~1c": [1, {"x": None}]})
    assert judge_answer(ask, answer({"a": [0, {"b/c": [1.0, {"x": None}]}]}), ())


@pytest.mark.parametrize(
    ("wanted", "given"),
    [(7, 8), (1, True), (True, 1), (7, "7"), ([1], [1, 2]), ({"a": 1}, {"b": 1}), (None, 0)],
)
def test_a_value_that_differs_is_named(wanted: object, given: object) -> None:
    said = refusal(replace(ASK, json={"/0": wanted}), answer([given]))
    assert said == f"'/0' is {json.dumps(given)}, not {json.dumps(wanted)}"


def test_a_pointer_to_nothing_is_named() -> None:
    assert refusal(replace(ASK, json={"/3": 7}), answer([7])) == (
        "the answer has nothing at '/3': [7]"
    )


def test_an_answer_that_is_no_json_is_refused() -> None:
    given = Answer(200, "text/html", b"<html>" + b"x" * 1000)
    said = refusal(replace(ASK, json={"/0": 7}), given)
    assert said.startswith("the answer is not JSON: <html>xxx")
    assert len(said) < 300


def test_an_accuracy_that_is_reached_is_told() -> None:
    ask = replace(ASK, labels="labels.json", accuracy=0.75)
    assert judge_answer(ask, answer([1, 2, 3, 0]), (1, 2, 3, 4)) == (
        "status 200, 3 of 4 right (0.750)"
    )


def test_an_accuracy_that_is_not_reached_is_refused() -> None:
    ask = replace(ASK, labels="labels.json", accuracy=0.76)
    assert refusal(ask, answer([1, 2, 3, 0]), (1, 2, 3, 4)) == (
        "3 of 4 answers are right (0.750), asked for is 0.76"
    )


@pytest.mark.parametrize(
    ("document", "size"), [([1], "1 values"), ([1, 2, 3], "3 values"), ({"a": 1}, "no array")]
)
def test_answers_and_labels_of_different_length_are_refused(document: object, size: str) -> None:
    ask = replace(ASK, labels="labels.json")
    assert refusal(ask, answer(document), (1, 2)) == f"the answer is {size}, the labels are 2"


def test_no_labels_prove_nothing() -> None:
    ask = replace(ASK, labels="labels.json")
    assert refusal(ask, answer([])) == "there are no labels to compare the answer with"


@pytest.mark.parametrize("accept", ["text/csv", "text/*", "*/*", "application/json, text/csv;q=1"])
def test_an_answer_of_an_accepted_type_is_right(accept: str) -> None:
    assert judge_answer(replace(ASK, accept=accept), Answer(200, "text/csv", b"7\n"), ())


def test_an_answer_of_another_type_than_the_accepted_one_is_refused() -> None:
    given = Answer(200, "application/json", b"[7]")
    assert refusal(replace(ASK, accept="text/csv"), given) == (
        "the answer is 'application/json', asked for was 'text/csv'"
    )
