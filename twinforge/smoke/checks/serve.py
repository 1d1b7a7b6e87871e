"""One serving container, from its start to its end."""

from __future__ import annotations

import time
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from twinforge.errors import SmokeError
from twinforge.smoke.answers import judge_answer
from twinforge.smoke.asking import Request, ask, connect_s
from twinforge.smoke.bench import ended, telling
from twinforge.smoke.checks.loading import load_steps
from twinforge.smoke.checks.manners import manners_steps
from twinforge.smoke.checks.stopping import refuse_stop_signal
from twinforge.smoke.confinement import BRIDGE, Confinement
from twinforge.smoke.contract import NOT_RUN, invocation_check
from twinforge.smoke.installers import judge_installers
from twinforge.smoke.modelfiles import MODEL, judge_unchanged
from twinforge.smoke.serving import invoke, wait_for_ping
from twinforge.smoke.watching import watching

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twinforge.model.recipe import Invocation
    from twinforge.smoke.bench import Bench, Step
    from twinforge.smoke.modelfiles import Entry
    from twinforge.smoke.running import Running
    from twinforge.smoke.watching import Seen

__all__ = ["serve_checks"]

STOPPED_WELL = (0, 143)  # of its own accord, or by SIGTERM's default action
_CONNECTIONS = 5
_AGAIN_S = 60.0
_PINGS = 3
_END_S = 0.3  # until the engine knows that a container ended whose connections it closed
_SHELLS = ("sh", "bash", "dash", "ash", "busybox", "ksh", "mksh", "zsh")
_ENOUGH = 2  # processes that make a shell one that waits


@contextmanager
def serve_checks(bench: Bench) -> Iterator[Mapping[str, Step]]:
    """Start ``serve`` as an endpoint does, and give the steps of the group ``serve``."""
    with bench.server("serve", bench.serving) as server, watching(server) as seen:
        before = server.entries(MODEL)
        asking: dict[str, Step] = {
            **{
                invocation_check(index): partial(_invoke, bench, server, index, invocation)
                for index, invocation in enumerate(bench.recipe.smoke.invocations)
            },
            "serve.connect": partial(_connect, bench, server),
            "serve.pid-1": partial(_pid_1, server),
            **manners_steps(bench, server),
            **load_steps(bench, server),
        }
        yield {
            "serve.ping": partial(_ping, bench, server),
            "serve.no-network": partial(_no_network, bench),
            **{name: partial(_while_it_runs, server, step) for name, step in asking.items()},
            "serve.survives": partial(_survives, bench, server),
            "serve.no-installer": partial(_no_installer, server, seen),
            "serve.stop": partial(_stop, bench, server),
            "model.read-only": partial(_unchanged, bench, server, before),
        }


def _while_it_runs(server: Running, step: Step) -> str:
    """Do what asks the server, and tell where its end is what went wrong.

    Raises:
        SmokeError: What the step raises; or it can't be done, because ``serve`` ended before.
    """
    _refuse_ended(server)
    try:
        return step()
    except SmokeError as error:
        server.pause(0)  # who asked for a stop has ended it
        status = server.wait(_END_S)
        if status is None:
            raise
        message = f"'serve' ended with status {status}: {error.message}"
        raise SmokeError(message) from error


def _refuse_ended(server: Running) -> None:
    status = server.exit_status()
    if status is not None:
        message = f"{NOT_RUN}: 'serve' ended with status {status} before"
        raise SmokeError(message)


def _ping(bench: Bench, server: Running) -> str:
    with telling(server):
        bench.ping_s = wait_for_ping(
            server,
            within_s=bench.recipe.smoke.startup_s,
            ping_s=bench.limits.ping_s,
            in_a_row=_PINGS,
        )
    return f"200 after {bench.ping_s:.2f} s"


def _no_network(bench: Bench) -> str:
    if bench.ping_s:
        return "serves without a network"
    if not _serves_otherwise(bench, "serve.no-network", Confinement(network=BRIDGE)):
        message = f"{NOT_RUN}: 'serve' does not start with a network either"
        raise SmokeError(message)
    message = "'serve' starts with a network, and does not without one"
    raise SmokeError(message)


def _serves_otherwise(
    bench: Bench, name: str, confinement: Confinement, *, writable: bool = False
) -> bool:
    """Whether ``serve``, which did not start as it must, starts under milder conditions."""
    within_s = min(_AGAIN_S, float(bench.recipe.smoke.startup_s))
    try:
        with bench.server(name, confinement, writable=writable) as server:
            wait_for_ping(server, within_s=within_s, ping_s=bench.limits.ping_s, in_a_row=_PINGS)
    except SmokeError:
        return False
    return True


def _invoke(bench: Bench, server: Running, index: int, invocation: Invocation) -> str:
    labels = bench.labels(invocation)
    with telling(server):
        answer = invoke(server, invocation, root=bench.root, timeout_s=bench.limits.request_s)
        said = judge_answer(invocation, answer, labels)
    bench.answers[index] = answer
    return said


def _connect(bench: Bench, server: Running) -> str:
    limit_s = bench.limits.connect_s
    took = sorted(connect_s(server.address, timeout_s=10.0) for _ in range(_CONNECTIONS))
    # One may be late because this machine was busy.
    slowest = took[-2]
    if slowest > limit_s:
        shown = ", ".join(f"{one * 1000:.0f}" for one in took)
        message = f"connections were accepted after {shown} ms, allowed are {limit_s * 1000:.0f}"
        raise SmokeError(message)
    return f"accepted after {slowest * 1000:.1f} ms"


def _pid_1(server: Running) -> str:
    lines = server.processes()
    first = lines[0].split() if lines else []
    shell = bool(first) and PurePosixPath(first[0]).name in _SHELLS
    if shell and len(lines) >= _ENOUGH:
        message = f"the first process is `{lines[0]}`, around `{lines[1]}`: use exec"
        raise SmokeError(message)
    return f"the first process is `{lines[0]}`" if lines else "no process is to be seen"


def _survives(bench: Bench, server: Running) -> str:
    with telling(server):
        status = server.exit_status()
        if status is not None:
            message = f"'serve' ended with status {status}"
            raise SmokeError(message)
        ping = Request("GET", "/ping", {})
        reply = ask(server.address, ping, timeout_s=bench.limits.ping_s)
        if reply.answer.status != HTTPStatus.OK:
            message = f"/ping says {reply.answer.status} after the requests"
            raise SmokeError(message)
        if not bench.answers:
            return "/ping says 200"
        index = min(bench.answers)
        invocation = bench.recipe.smoke.invocations[index]
        answer = invoke(server, invocation, root=bench.root, timeout_s=bench.limits.request_s)
        judge_answer(invocation, answer, bench.labels(invocation))
    return f"/ping says 200, {invocation_check(index)} is answered as before"


def _no_installer(server: Running, seen: Seen) -> str:
    wrong = judge_installers(seen.lines, server.changes())
    if wrong:
        message = f"while 'serve' ran, {wrong}"
        raise SmokeError(message)
    return f"{len(seen.lines)} processes, none of them installs; no package changed"


def _stop(bench: Bench, server: Running) -> str:
    _refuse_ended(server)
    limit_s = min(bench.limits.stop_s, bench.recipe.smoke.stop_s)
    with telling(server):
        started = time.monotonic()
        server.terminate()
        status = server.wait(limit_s)
        if status not in STOPPED_WELL:
            message = f"after SIGTERM, 'serve' {ended(status, limit_s)}"
            raise SmokeError(message)
    refuse_stop_signal(bench.facts.stop_signal, "serve")
    return f"status {status} {time.monotonic() - started:.2f} s after SIGTERM"


def _unchanged(bench: Bench, server: Running, before: tuple[Entry, ...]) -> str:
    if bench.ping_s:
        return judge_unchanged(before, server.entries(MODEL))
    if not _serves_otherwise(bench, "model.read-only", bench.serving, writable=True):
        message = f"{NOT_RUN}: 'serve' does not start with {MODEL} writable either"
        raise SmokeError(message)
    message = f"'serve' starts with {MODEL} writable, and does not with it read-only"
    raise SmokeError(message)
