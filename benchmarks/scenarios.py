"""All that is measured, by name, in the order of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.scenario_build import Cold, ColdBare, Program, Unchanged
from benchmarks.scenario_many import Many
from benchmarks.scenario_push import Pin, Push, Wheels
from benchmarks.scenario_read import Compatibility, Language, Scale
from benchmarks.scenario_serve import Ping, Runtime, Start
from benchmarks.scenario_servers import Servers

if TYPE_CHECKING:
    from benchmarks.scenario import Scenario

__all__ = ["SCENARIOS"]

SCENARIOS: dict[str, type[Scenario]] = {
    scenario.name: scenario
    for scenario in (
        Cold,
        ColdBare,
        Unchanged,
        Program,
        Many,
        Pin,
        Wheels,
        Push,
        Ping,
        Start,
        Runtime,
        Servers,
        Scale,
        Language,
        Compatibility,
    )
}
