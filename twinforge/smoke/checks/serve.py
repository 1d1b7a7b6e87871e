"""One serving container, from its start to its end."""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from twinforge.errors import SmokeError
from twinforge.smoke.answers import judge_answer
from twinforge.smoke.bench import PORT, ended, telling
from twinforge.smoke.container import Mount
from twinforge.smoke.contract import invocation_check
from twinforge.smoke.modelfiles import MODEL, judge_unchanged
from twinforge.smoke.serving import invoke, wait_for_ping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twinforge.model.recipe import Invocation
    from twinforge.smoke.bench import Bench, Step
    from twinforge.smoke.modelfiles import Entry
    from twinforge.smoke.running import Running

__all__ = ["serve_checks"]

STOPPED_WELL = (0, 143)  # of its own accord, or by SIGTERM's default action


@contextmanager
def serve_checks(bench: Bench) -> Iterator[Mapping[str, Step]]:
    """Start ``serve`` as an endpoint does, and give the steps of the group ``serve``."""
    with bench.containers.start(
        bench.facts.id,
        ["serve"],
        mounts=[Mount(bench.model, MODEL, read_only=True)],
        port=PORT,
        confinement=bench.serving,
    ) as server:
        try:
            before = server.entries(MODEL)
            yield {
                "serve.ping": partial(_ping, bench, server),
                **{
                    invocation_check(index): partial(_invoke, bench, server, invocation)
                    for index, invocation in enumerate(bench.recipe.smoke.invocations)
                },
                "serve.stop": partial(_stop, bench, server),
                "model.read-only": partial(_unchanged, server, before),
            }
        finally:
            bench.record.log("serve", server.logs())


def _ping(bench: Bench, server: Running) -> str:
    with telling(server):
        bench.ping_s = wait_for_ping(
            server, within_s=bench.recipe.smoke.startup_s, ping_s=bench.limits.ping_s
        )
    return f"200 after {bench.ping_s:.2f} s"


def _invoke(bench: Bench, server: Running, invocation: Invocation) -> str:
    labels = bench.labels(invocation)
    with telling(server):
        answer = invoke(server, invocation, root=bench.root, timeout_s=bench.limits.request_s)
        return judge_answer(invocation, answer, labels)


def _stop(bench: Bench, server: Running) -> str:
    limit_s = min(bench.limits.stop_s, bench.recipe.smoke.stop_s)
    with telling(server):
        started = time.monotonic()
        server.terminate()
        status = server.wait(limit_s)
        if status not in STOPPED_WELL:
            message = f"after SIGTERM, 'serve' {ended(status, limit_s)}"
            raise SmokeError(message)
    return f"status {status} {time.monotonic() - started:.2f} s after SIGTERM"


def _unchanged(server: Running, before: tuple[Entry, ...]) -> str:
    return judge_unchanged(before, server.entries(MODEL))
