"""What a run has measured, kept until all is: an interrupted one goes on instead of starting again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from benchmarks.results import Metric, Result
from twinforge import process
from twinforge.wholefile import write_json

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Kept", "state_of"]


def state_of(root: Path) -> str:
    """Return what says whether two runs measure the same: the commit, and whether files differ."""
    argv = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    return process.run(argv, cwd=root).stdout.strip()


@dataclass(frozen=True, slots=True)
class Kept:
    """Results by the scenario's name, of one state of the checkout, in a file."""

    path: Path
    state: str

    def results(self) -> dict[str, Result]:
        """Return what was measured in this state; of another, or an uncommitted one, nothing counts."""
        try:
            document = json.loads(self.path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        if document["state"] != self.state or "-dirty" in self.state:
            return {}
        return {name: _result(value) for name, value in document["results"].items()}

    def add(self, name: str, result: Result) -> None:
        """Keep a result, unless it is a failure: that is tried again."""
        if result.failure:
            return
        results = {**self.results(), name: result}
        document = {name: asdict(one) for name, one in results.items()}
        write_json(self.path, {"state": self.state, "results": document})

    def forget(self) -> None:
        """Keep nothing any more."""
        self.path.unlink(missing_ok=True)


def _result(value: dict[str, object]) -> Result:
    metrics, ours, peer = value["metrics"], value["ours"], value["peer"]
    assert isinstance(metrics, list)
    assert isinstance(ours, list)
    assert isinstance(peer, list)
    return Result(
        title=str(value["title"]),
        metrics=tuple(Metric(**metric) for metric in metrics),
        ours=tuple(ours),
        peer=tuple(peer),
    )
