"""The checks of images: which there are, and what they came to, as tables, as JSON, as JUnit XML."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from twinforge.report.tables import Cell, Column, Style, render_table
from twinforge.report.text import human_seconds
from twinforge.smoke.contract import NOT_RUN, Check, SmokeReport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twinforge.smoke.rules import Rule

__all__ = [
    "checks_json",
    "junit_xml",
    "render_checks",
    "render_rules",
    "result_of",
    "rules_json",
    "rules_markdown",
]

_COLOURS = {"passed": "green", "failed": "red", "warning": "yellow", "not run": "yellow"}
_RESULT_COLUMNS = (
    Column("variant"),
    Column("check"),
    Column("result"),
    Column("time", is_number=True),
    Column("detail"),
)


def result_of(check: Check) -> str:
    """Return what a check came to in a word or two.

    ``warning`` is a failed check that does not keep an image from being pushed.
    """
    if check.passed:
        return "passed"
    if not check.ran:
        return "not run"
    return "warning" if check.is_good else "failed"


def render_checks(
    reports: Sequence[SmokeReport],
    *,
    everything: bool,
    style: Style = Style(),  # noqa: B008 - frozen
) -> str:
    """Return a table of checks; empty where there is nothing to show.

    Args:
        reports: In order.
        everything: Whether those that passed are shown, too.
        style: How tables are drawn.
    """
    rows: list[list[str | Cell]] = [
        [
            report.variant,
            check.id,
            Cell(result_of(check), _COLOURS[result_of(check)]),
            human_seconds(check.seconds),
            check.detail.partition("\n")[0],
        ]
        for report in reports
        for check in report.checks
        if everything or not check.passed
    ]
    return render_table(rows, _RESULT_COLUMNS, style=style) if rows else ""


def checks_json(reports: Sequence[SmokeReport]) -> list[dict[str, Any]]:
    """Return reports in values that JSON has; ``whole`` says whether all checks were asked for."""
    return [
        {
            "variant": report.variant,
            "image_id": report.image_id,
            "passed": report.passed,
            "whole": report.whole,
            "checks": [
                {
                    "id": check.id,
                    "result": result_of(check),
                    "severity": check.severity.value,
                    "seconds": check.seconds,
                    "detail": check.detail,
                }
                for check in report.checks
            ],
        }
        for report in reports
    ]


def render_rules(rules: Sequence[Rule], *, style: Style = Style()) -> str:  # noqa: B008 - frozen
    """Return a table of all checks that there are."""
    columns = tuple(map(Column, ("check", "severity", "applies to", "what", "source")))
    rows = [
        [rule.id, rule.severity.value, _applies(rule), rule.what, rule.source] for rule in rules
    ]
    return render_table(rows, columns, style=style)


def rules_json(rules: Sequence[Rule]) -> list[dict[str, Any]]:
    """Return all checks that there are in values that JSON has."""
    return [
        {
            "id": rule.id,
            "group": rule.group,
            "severity": rule.severity.value,
            "applies": list(rule.applies),
            "each": rule.each,
            "needs": list(rule.needs),
            "what": rule.what,
            "source": rule.source,
        }
        for rule in rules
    ]


def rules_markdown(rules: Sequence[Rule]) -> str:
    """Return all checks that there are as a table in Markdown."""
    lines = ["| check | severity | applies to | what | source |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| `{rule.id}` | {rule.severity.value} | {_applies(rule)} | {rule.what} | {rule.source} |"
        for rule in rules
    ]
    return "\n".join(lines) + "\n"


def junit_xml(
    reports: Sequence[SmokeReport],
    unsmoked: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return reports as the JUnit XML that CI systems read: a suite per image, a case per check.

    What failed is a ``failure``, what did not run an ``error``; a failed warning, and one that did
    not run, is ``skipped``, which is as near as the format comes.

    Args:
        reports: In order.
        unsmoked: Why there is no report of an image, by its variant; such a suite has one ``error``.

    Source: the schema of the Jenkins xUnit plugin (junit-10.xsd), which other systems follow.
    """
    reports = [*reports, *(_unsmoked(name, why) for name, why in unsmoked.items())]
    root = ET.Element("testsuites", {"name": "twinforge smoke", **_counts(reports)})
    for report in reports:
        suite = ET.SubElement(
            root, "testsuite", {"name": _clean(report.variant), **_counts([report])}
        )
        for check in report.checks:
            case = ET.SubElement(
                suite,
                "testcase",
                classname=_clean(report.variant),
                name=_clean(check.id),
                time=f"{check.seconds:.3f}",
            )
            first = _clean(check.detail.partition("\n")[0])
            kind = _outcome(check)
            if kind == "skipped":
                ET.SubElement(case, kind, message=f"{result_of(check)}: {first}")
            elif kind:
                outcome = ET.SubElement(case, kind, message=first, type=result_of(check))
                outcome.text = _clean(check.detail)
    ET.indent(root)
    text: str = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def _unsmoked(variant: str, why: str) -> SmokeReport:
    check = Check("smoke", passed=False, detail=f"{NOT_RUN}: {why}", seconds=0.0)
    return SmokeReport("", variant, (check,), 0.0)


def _counts(reports: Sequence[SmokeReport]) -> dict[str, str]:
    checks = [check for report in reports for check in report.checks]
    outcomes = [_outcome(check) for check in checks]
    return {
        "tests": str(len(checks)),
        "failures": str(outcomes.count("failure")),
        "errors": str(outcomes.count("error")),
        "skipped": str(outcomes.count("skipped")),
        "time": f"{sum(check.seconds for check in checks):.3f}",
    }


def _outcome(check: Check) -> str:
    if check.passed:
        return ""
    if check.is_good:
        return "skipped"
    return "failure" if check.ran else "error"


def _applies(rule: Rule) -> str:
    each = f"each of smoke.{rule.each}" if rule.each else ""
    return ", ".join(filter(None, [*(_WORDS[word] for word in rule.applies), each])) or "all images"


_WORDS = {
    "train": "smoke.train",
    "channels": "smoke.train.channels",
    "invocations": "smoke.invocations",
    "answers": "a request answered with 200",
    "resumes": "smoke.train.resumes",
    "user": "smoke.user",
    "read_only_root": "smoke.read_only_root",
    "cuda": "CUDA variants",
    "cpu": "CPU variants",
    "pair": "CUDA variants with a CPU twin",
}


def _clean(text: str) -> str:
    """Return a text without what XML 1.0 can't hold.

    Source: https://www.w3.org/TR/xml/#charsets
    """
    return "".join(one if _is_xml(ord(one)) else "\N{REPLACEMENT CHARACTER}" for one in text)


def _is_xml(code: int) -> bool:
    return (
        code in (0x9, 0xA, 0xD)
        or 0x20 <= code <= 0xD7FF  # noqa: PLR2004 - XML's ranges
        or 0xE000 <= code <= 0xFFFD  # noqa: PLR2004 - XML's ranges
        or code >= 0x10000  # noqa: PLR2004 - XML's ranges
    )
