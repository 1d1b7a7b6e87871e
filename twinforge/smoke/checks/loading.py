"""What a server does while many requests come at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.errors import SmokeError
from twinforge.smoke.answers import judge_answer
from twinforge.smoke.bench import telling
from twinforge.smoke.checks.manners import request_of
from twinforge.smoke.load import put_under_load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from twinforge.model.recipe import Invocation
    from twinforge.smoke.answers import Answer
    from twinforge.smoke.asking import Request
    from twinforge.smoke.bench import Bench, Step
    from twinforge.smoke.load import Load
    from twinforge.smoke.running import Running

__all__ = ["load_steps"]

_ALIKE_BYTES = 1024
"""By so much a request may be larger than the smallest one and still be one of few rows."""

_LATE_SHARE = 0.02  # of the connections: this machine is loaded too


def load_steps(bench: Bench, server: Running) -> Mapping[str, Step]:
    """Return the steps that look at one and the same load from three sides."""
    trial = _Trial(bench, server)
    return {
        "serve.concurrent": trial.concurrent,
        "serve.ping-under-load": trial.pings,
        "serve.connect-under-load": trial.connects,
    }


@dataclass(slots=True)
class _Trial:
    bench: Bench
    server: Running
    result: Load | None = None

    def concurrent(self) -> str:
        load = self._load()
        if load.wrong:
            message = f"{len(load.wrong)} answers were wrong, such as: {load.wrong[0]}"
            with telling(self.server):
                raise SmokeError(message)
        limit_s = self.bench.limits.request_s
        if load.slowest_s > limit_s:
            message = f"an answer took {load.slowest_s:.1f} s, allowed are {limit_s:g}"
            raise SmokeError(message)
        return f"{load.answered} answers, the slowest after {load.slowest_s:.2f} s"

    def pings(self) -> str:
        load = self._load()
        wrong = [ping.wrong for ping in load.pings if ping.wrong]
        if wrong:
            message = f"{len(wrong)} of {len(load.pings)} pings under load failed: {wrong[0]}"
            raise SmokeError(message)
        slowest = max(ping.seconds for ping in load.pings)
        return f"{len(load.pings)} pings, the slowest after {slowest:.2f} s"

    def connects(self) -> str:
        took, limit_s = self._load().connects_s, self.bench.limits.connect_s
        if not took:
            message = "no connection was accepted while 64 requests at once were sent"
            raise SmokeError(message)
        late = [one for one in took if one > limit_s]
        if len(late) > _LATE_SHARE * len(took):
            message = (
                f"{len(late)} of {len(took)} connections took longer than "
                f"{limit_s * 1000:.0f} ms, the slowest after {max(late):.2f} s"
            )
            raise SmokeError(message)
        return f"{len(took)} connections, {len(late)} of them later than {limit_s * 1000:.0f} ms"

    def _load(self) -> Load:
        if self.result is None:
            cases = [self._case(invocation) for invocation in self._invocations()]
            self.result = put_under_load(
                self.server,
                cases,
                seconds=self.bench.limits.load_s,
                request_s=self.bench.limits.request_s,
                ping_s=self.bench.limits.ping_s,
            )
        return self.result

    def _invocations(self) -> list[Invocation]:
        """Return the smallest request, and the next one, so that answers mixed up are seen.

        A batch would try how fast the model is: 64 of them at once are no load that an endpoint is
        sized for.
        """
        good = [invocation for _, invocation in self.bench.cases]
        most_bytes = len(self.bench.body(good[0])) + _ALIKE_BYTES
        return [one for one in good[:2] if len(self.bench.body(one)) <= most_bytes]

    def _case(self, invocation: Invocation) -> tuple[Request, Callable[[Answer], object]]:
        labels = self.bench.labels(invocation)
        request = request_of(self.bench, invocation)
        return request, lambda answer: judge_answer(invocation, answer, labels)
