from __future__ import annotations

from datetime import date
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.fake_ecr import FakeEcr
from twinforge.errors import RegistryError
from twinforge.events import Event, ignore
from twinforge.model.matrix import AllowedFinding, Scan
from twinforge.model.place import Place
from twinforge.model.reference import Reference
from twinforge.registry.credentials import ANONYMOUS
from twinforge.registry.ecr_scan import read_findings
from twinforge.registry.findings import Finding, check_findings
from twinforge.registry.items import Target

if TYPE_CHECKING:
    from collections.abc import Callable

REGION = "eu-west-1"
DIGEST = f"sha256:{'d' * 64}"
TODAY = date(2026, 6, 30)
HIGH = Finding("CVE-1", "HIGH", "openssl 3.0.1")


def arrived(found: Callable[[str, str], tuple[Finding, ...]] | None, slug: str = "cpu") -> Any:
    target = Target(Reference("registry.example.com", "ml/x"), ANONYMOUS, findings=found)
    place = SimpleNamespace(target=target, repository="ml/x")
    item = SimpleNamespace(variant=SimpleNamespace(id=f"x/{slug}"))
    return SimpleNamespace(place=place, item=item, digest=DIGEST)


def allowed(name: str, until: date) -> AllowedFinding:
    return AllowedFinding(name, "never parsed", until, Place("matrix.yaml", 7, 3))


def check(
    *found: Finding, fail_on: str = "HIGH", allow: tuple[AllowedFinding, ...] = ()
) -> list[Event]:
    events: list[Event] = []
    images = [arrived(lambda _repository, _digest: found)]
    check_findings(images, Scan(fail_on, allow), today=TODAY, listener=events.append)
    return events


@pytest.mark.parametrize(
    ("severity", "fail_on", "passes"),
    [
        ("MEDIUM", "HIGH", True),
        ("HIGH", "HIGH", False),
        ("CRITICAL", "HIGH", False),
        ("UNDEFINED", "INFORMATIONAL", True),
        ("UNTRIAGED", "CRITICAL", False),
    ],
)
def test_a_finding_stops_from_its_severity_on(severity: str, fail_on: str, *, passes: bool) -> None:
    found = Finding("CVE-1", severity)
    if passes:
        assert check(found, fail_on=fail_on) == []
        return
    with pytest.raises(RegistryError) as caught:
        check(found, fail_on=fail_on)
    assert caught.value.message == (
        f"findings of {fail_on} and above: x/cpu has CVE-1 ({severity})"
    )
    assert "aliases were not moved" in caught.value.hint


def test_a_finding_is_accepted_up_to_its_last_day_and_not_after() -> None:
    assert check(HIGH, allow=(allowed("CVE-1", TODAY),)) == []
    with pytest.raises(RegistryError) as caught:
        check(HIGH, allow=(allowed("CVE-1", date(2026, 6, 29)),))
    assert caught.value.message.endswith(
        "CVE-1 (HIGH, openssl 3.0.1), accepted until 2026-06-29 at matrix.yaml:7"
    )


def test_what_is_accepted_for_nothing_is_noted() -> None:
    notes = check(allow=(allowed("CVE-2", TODAY), allowed("CVE-3", date(2020, 1, 1))))
    assert [note.text for note in notes] == [
        "matrix.yaml:7: 'CVE-2' is accepted and no image has it; take it out",
        (
            "matrix.yaml:7: 'CVE-3' is accepted and no image has it and ended on 2020-01-01; "
            "take it out"
        ),
    ]


def test_an_image_that_nobody_scans_is_no_pass() -> None:
    with pytest.raises(RegistryError, match=r"nobody scans 'registry\.example\.com/ml/x'"):
        check_findings([arrived(None)], Scan("HIGH", ()), today=TODAY, listener=ignore)


@pytest.fixture
def ecr() -> FakeEcr:
    return FakeEcr()


def read(ecr: FakeEcr, account: str = "", longest_s: float = 100) -> tuple[Finding, ...]:
    client = ecr.connect(None, REGION)
    ask = partial(read_findings, client, REGION, account, sleep=lambda _: None)
    return ask("ml/x", DIGEST, longest_s=longest_s)


def state(status: str, **more: Any) -> dict[str, Any]:
    return {"imageScanStatus": {"status": status}, **more}


def test_a_basic_scan_is_awaited_and_read_page_by_page(ecr: FakeEcr) -> None:
    pairs = [("package_name", "openssl"), ("package_version", "3.0.1"), ("CVSS2", "7")]
    attributes = [{"key": key, "value": value} for key, value in pairs]
    first = {"name": "CVE-1", "severity": "HIGH", "attributes": attributes}
    ecr.scans[DIGEST] = [
        state("PENDING"),
        state("IN_PROGRESS"),
        state("COMPLETE", imageScanFindings={"findings": [first]}, nextToken="more"),
        state("COMPLETE", imageScanFindings={"findings": [{"name": "CVE-2", "severity": "LOW"}]}),
    ]
    assert read(ecr) == (HIGH, Finding("CVE-2", "LOW"))
    assert [params.get("nextToken") for _, _, params in ecr.calls] == [None, None, None, "more"]


def test_an_enhanced_scan_is_read_without_what_is_suppressed(ecr: FakeEcr) -> None:
    packages = [{"name": "openssl", "version": "3.0.1"}]
    details = {"vulnerabilityId": "CVE-1", "vulnerablePackages": packages}
    one = {"severity": "HIGH", "status": "ACTIVE", "packageVulnerabilityDetails": details}
    findings = {"enhancedFindings": [one, {**one, "status": "SUPPRESSED"}]}
    ecr.scans[DIGEST] = [state("ACTIVE", imageScanFindings=findings)]
    assert read(ecr) == (HIGH,)


def test_a_scan_that_nobody_began_is_begun(ecr: FakeEcr) -> None:
    assert read(ecr, account="444455556666") == ()
    assert ecr.writes == ["start_image_scan"]
    assert {params["registryId"] for _, _, params in ecr.calls} == {"444455556666"}


@pytest.mark.parametrize("status", ["FAILED", "UNSUPPORTED_IMAGE", "SCAN_ELIGIBILITY_EXPIRED"])
def test_a_scan_that_did_not_run_is_no_pass(ecr: FakeEcr, status: str) -> None:
    ecr.scans[DIGEST] = [state(status)]
    with pytest.raises(RegistryError, match=f"in eu-west-1 was not scanned: {status}"):
        read(ecr)


def test_a_scan_that_does_not_end_is_no_pass(ecr: FakeEcr) -> None:
    ecr.scans[DIGEST] = [state("IN_PROGRESS")]
    with pytest.raises(RegistryError, match="did not end within 20 s"):
        read(ecr, longest_s=20)
