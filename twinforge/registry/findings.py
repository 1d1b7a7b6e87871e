"""What a scan found in images that have arrived, and whether that may stand.

A finding that is accepted has a reason and a last day in the matrix: after it the finding counts
again. A check that did not run is not a pass.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.errors import RegistryError
from twinforge.events import Event, State
from twinforge.registry.gather import gather

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from twinforge.events import Listener
    from twinforge.model.matrix import AllowedFinding, Scan
    from twinforge.registry.publish import Publication

__all__ = ["SEVERITIES", "Finding", "check_findings"]

SEVERITIES = ("UNDEFINED", "INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL")
"""From the mildest up. Source: botocore's model of ECR, FindingSeverity."""
AT_ONCE = 4
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: its name, how bad it is, and the package that it is in, where that is known."""

    id: str
    severity: str
    package: str = ""

    def __str__(self) -> str:
        """Return it as one would say it."""
        return f"{self.id} ({self.severity}{f', {self.package}' if self.package else ''})"


def check_findings(
    arrived: Sequence[Publication], scan: Scan, *, today: date, listener: Listener
) -> None:
    """Wait for the scan of every image, in every place, and check what it found.

    Raises:
        RegistryError: Something was found that may not stand, or nothing could be found out.
    """
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="scan") as pool:
        found = gather([pool.submit(_read, one) for one in arrived])
    allowed = {one.id: one for one in scan.allowed}
    seen = {finding.id for findings in found for finding in findings}
    for entry in scan.allowed:
        if entry.id not in seen:
            listener(Event("push", entry.id, State.NOTE, _unused(entry, today)))
    worst = SEVERITIES.index(scan.fail_on)
    told = []
    for one, findings in zip(arrived, found, strict=True):
        bad = [
            _explain(finding, allowed.get(finding.id))
            for finding in findings
            if _rank(finding) >= worst and not _is_allowed(allowed.get(finding.id), today)
        ]
        if bad:
            more = f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
            told.append(f"{one.item.variant.id} has {', '.join(bad[:SHOWN])}{more}")
    if told:
        message = f"findings of {scan.fail_on} and above: {'; '.join(dict.fromkeys(told))}"
        hint = "fix them, or accept each in matrix.yaml (registry.scan.allow) with reason and day"
        raise RegistryError(message, hint=f"{hint}; aliases were not moved")


def _read(one: Publication) -> tuple[Finding, ...]:
    read = one.place.target.findings
    if read is None:
        message = f"nobody scans '{one.place.target.repository.name}'"
        raise RegistryError(message, hint="findings are ECR's; take `scan` out of this registry")
    return read(one.place.repository, str(one.digest))


def _rank(finding: Finding) -> int:
    # A severity that is not known here is the worst until somebody has looked at it.
    known = finding.severity in SEVERITIES
    return SEVERITIES.index(finding.severity) if known else len(SEVERITIES)


def _is_allowed(entry: AllowedFinding | None, today: date) -> bool:
    return entry is not None and today <= entry.until


def _explain(finding: Finding, entry: AllowedFinding | None) -> str:
    if entry is None:
        return str(finding)
    return f"{finding}, accepted until {entry.until} at {entry.place.path}:{entry.place.line}"


def _unused(entry: AllowedFinding, today: date) -> str:
    ended = f" and ended on {entry.until}" if today > entry.until else ""
    where = f"{entry.place.path}:{entry.place.line}"
    return f"{where}: '{entry.id}' is accepted and no image has it{ended}; take it out"
