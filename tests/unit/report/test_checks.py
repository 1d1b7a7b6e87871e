from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from twinforge.report.checks import (
    checks_json,
    junit_xml,
    render_checks,
    render_rules,
    result_of,
    rules_json,
)
from twinforge.smoke.contract import NOT_RUN, Check, SmokeReport
from twinforge.smoke.rules import Severity, load_rules

if TYPE_CHECKING:
    from collections.abc import Mapping

GOOD = Check("programs", passed=True, detail="/program/train", seconds=0.25)
BAD = Check(
    "train", passed=False, detail="'train' ended with status 1\n  | \x1b[1mno\x00", seconds=2.0
)
RUDE = Check("serve.keep-alive", False, "closed <early>", 0.5, Severity.WARNING)  # noqa: FBT003 - passed
ABSENT = Check("serve.ping", passed=False, detail=f"{NOT_RUN}: 'train' did not pass", seconds=0.0)
REPORT = SmokeReport("sha256:1", "digits/cpu", (GOOD, BAD, RUDE, ABSENT), 0.0)

# Which attributes junit-10.xsd lets an element have, those that it must have, and its children.
SCHEMA: Mapping[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": (
        {"name", "time", "tests", "failures", "errors", "skipped"},
        set(),
        {"testsuite"},
    ),
    "testsuite": (
        {"name", "tests", "failures", "errors", "time", "skipped", "timestamp", "hostname", "id"},
        {"name", "tests"},
        {"testcase", "properties", "system-out", "system-err"},
    ),
    "testcase": (
        {"name", "classname", "time", "status", "assertions", "group"},
        {"name", "classname"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "failure": ({"type", "message"}, set(), set()),
    "error": ({"type", "message"}, set(), set()),
    "skipped": ({"type", "message"}, set(), set()),
}


def test_the_result_of_a_check_is_a_word() -> None:
    results = [result_of(check) for check in REPORT.checks]
    assert results == ["passed", "failed", "warning", "not run"]


def test_junit_xml_has_the_structure_that_its_schema_asks_for() -> None:
    root = ET.fromstring(junit_xml([REPORT, REPORT]))
    assert root.tag == "testsuites"
    for element in root.iter():
        allowed, needed, children = SCHEMA[element.tag]
        assert needed <= set(element.attrib) <= allowed
        assert {child.tag for child in element} <= children
        if element.tag == "testcase":
            assert len(element) <= 1
    assert root.attrib["tests"] == "8"
    suite = root[0]
    assert {key: suite.attrib[key] for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
    }
    assert float(suite.attrib["time"]) == 2.75


def test_junit_xml_says_what_failed_and_holds_no_character_that_xml_refuses() -> None:
    suite = ET.fromstring(junit_xml([REPORT]))[0]
    passed, failure, warning, error = (next(iter(case), None) for case in suite)
    assert passed is None
    assert failure is not None
    assert failure.attrib == {"message": "'train' ended with status 1", "type": "failed"}
    assert failure.text == "'train' ended with status 1\n  | \ufffd[1mno\ufffd"
    assert warning is not None
    assert (warning.tag, warning.attrib["message"]) == ("skipped", "warning: closed <early>")
    assert error is not None
    assert (error.tag, error.attrib["type"]) == ("error", "not run")


def test_an_image_without_a_report_is_an_error_and_not_left_out() -> None:
    text = junit_xml([REPORT], {"digits/cu129": "the engine does not answer: \x1b[2J"})
    root = ET.fromstring(text)
    assert [suite.attrib["name"] for suite in root] == ["digits/cpu", "digits/cu129"]
    assert (root.attrib["tests"], root.attrib["errors"]) == ("5", "2")
    error = root[1][0][0]
    assert (error.tag, error.attrib["type"]) == ("error", "not run")
    assert error.attrib["message"] == f"{NOT_RUN}: the engine does not answer: \ufffd[2J"


def test_the_table_shows_what_did_not_pass_or_everything() -> None:
    some = render_checks([REPORT], everything=False)
    assert [line.split()[1] for line in some.splitlines()[1:]] == [
        "train",
        "serve.keep-alive",
        "serve.ping",
    ]
    assert "programs" in render_checks([REPORT], everything=True)
    passed = SmokeReport("sha256:1", "digits/cpu", (GOOD,), 0.0)
    assert render_checks([passed], everything=False) == ""


def test_json_holds_whole_details() -> None:
    (document,) = json.loads(json.dumps(checks_json([REPORT])))
    assert document["passed"] is False
    assert document["checks"][1] == {
        "id": "train",
        "result": "failed",
        "severity": "error",
        "seconds": 2.0,
        "detail": BAD.detail,
    }


@pytest.mark.parametrize("rule", load_rules(), ids=lambda rule: rule.id)
def test_every_rule_can_be_explained(rule: object) -> None:
    (one,) = [one for one in load_rules() if one is rule]
    assert f"{one.id}  " in render_rules([one])
    assert rules_json([one])[0]["what"] == one.what
