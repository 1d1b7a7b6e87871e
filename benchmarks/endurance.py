"""Minutes of load on the runtime while its workers are killed: ``python -m benchmarks.endurance``.

Every connection sends at its own times, whether or not others wait, at 80 % of the throughput that
``wrk`` measures first. All of a connection's requests go to one worker, which its answers name. What
is lost with a worker are requests on its connections; a request that is lost on any other, or
answered wrongly, is counted apart and is what must not be.

The exit status is 0 when there is none. Writes ``ENDURANCE.md`` beside this file.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import json
import os
import random
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.bench import Bench
from benchmarks.measure import machine_ca
from benchmarks.results import machine_line
from benchmarks.runtime import PAYLOADS, build_project, measure_one, serving
from twinforge.cli.session import Session
from twinforge.engine.engine import Settings, engine_status, find_engine
from twinforge.errors import MissingToolError, TwinforgeError

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROOT = Path(__file__).parents[1]
_BODY = PAYLOADS[0].content
_REQUEST = (
    b"POST /invocations HTTP/1.1\r\nHost: endpoint\r\nContent-Type: text/csv\r\n"
    + f"Content-Length: {len(_BODY)}\r\n\r\n".encode()
    + _BODY
)
_SUM = sum(map(float, _BODY.decode().strip().split(",")))
_SHARE = 0.8
_CONNECTIONS = 16
_WORKERS = 3
_ANSWER_S = 10.0
_TOLERANCE = 1e-9
_CORES = 0.6
_LIMITS = ("--cpus", str(_CORES), "--memory", "1g", "--env", f"TWINFORGE_WORKERS={_WORKERS}")


@dataclass(frozen=True, slots=True)
class Pace:
    """Requests per second of all connections, for how long, and the seconds between two kills."""

    rate: float
    seconds: float
    every_s: float


@dataclass
class Tally:
    """What came of the requests.

    Attributes:
        answered: Requests with the right answer.
        lost_with_worker: Requests on a connection of a worker that was killed.
        lost: All others without an answer, and wrong answers.
        late_s: Seconds of each answered request, from when it was due.
        killed: The workers that were killed.
        examples: What the first lost ones came to.
    """

    answered: int = 0
    lost_with_worker: int = 0
    lost: int = 0
    late_s: list[float] = field(default_factory=list)
    killed: set[int] = field(default_factory=set)
    examples: list[str] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """All requests."""
        return self.answered + self.lost_with_worker + self.lost


class Caller:
    """One connection, which is opened again when it is closed."""

    def __init__(self, host: str, port: int, tally: Tally) -> None:
        self._host = host
        self._port = port
        self._tally = tally
        self.worker = 0
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call_until(self, end_s: float, pause_s: float) -> None:
        """Send a request every so often until a time; one that is late is sent at once."""
        due_s = time.monotonic() + random.random() * pause_s
        while due_s < end_s:
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            await self._call(due_s)
            due_s += pause_s
        self._close()

    async def _call(self, due_s: float) -> None:
        try:
            answer = await asyncio.wait_for(self._ask(), _ANSWER_S)
        except (TimeoutError, OSError, EOFError, ValueError) as error:
            self._close()
            if self.worker in self._tally.killed:
                self._tally.lost_with_worker += 1
            else:
                self._miss(f"{type(error).__name__}: {error}")
            self.worker = 0
            return
        self.worker = answer["worker"]
        if abs(answer["sum"] - _SUM) > _TOLERANCE:
            self._miss(f"wrong answer: {answer}")
            return
        self._tally.answered += 1
        self._tally.late_s.append(time.monotonic() - due_s)

    async def _ask(self) -> dict[str, int]:
        reader, writer = await self._opened()
        writer.write(_REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        status, *fields = head.decode("latin-1").split("\r\n")
        headers = dict(one.lower().split(": ", 1) for one in fields if one)
        body = await reader.readexactly(int(headers["content-length"]))
        if status.split()[1] != "200":
            message = f"{status}: {body.decode(errors='replace')}"
            raise ValueError(message)
        answer: dict[str, int] = json.loads(body)
        return answer

    async def _opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None and self._streams[0].at_eof():
            self._close()  # the server said so before anything was sent: nothing is lost
            self.worker = 0
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        return self._streams

    def _close(self) -> None:
        if self._streams is not None:
            with contextlib.suppress(OSError):
                self._streams[1].close()
            self._streams = None

    def _miss(self, what: str) -> None:
        self._tally.lost += 1
        if len(self._tally.examples) < 5:  # noqa: PLR2004 - enough to see what it is
            self._tally.examples.append(what)


async def endure(bench: Bench, container: str, address: str, pace: Pace) -> Tally:
    """Send requests to a container at ``host:port`` while its workers are killed."""
    tally = Tally()
    host, _, port = address.partition(":")
    end_s = time.monotonic() + pace.seconds
    callers = [Caller(host, int(port), tally) for _ in range(_CONNECTIONS)]

    async def kill() -> None:
        while time.monotonic() + pace.every_s < end_s:
            await asyncio.sleep(pace.every_s)
            serving_now = [one for caller in callers if (one := caller.worker)]
            victim = random.choice(serving_now)
            tally.killed.add(victim)
            argv = (bench.engine.docker, "exec", container, "sh", "-c", f"kill -9 {victim}")
            done = await asyncio.create_subprocess_exec(*argv, env=dict(bench.engine.env))
            await done.wait()
            print(f"killed {victim}; {tally.sent} requests", file=sys.stderr, flush=True)

    pause_s = _CONNECTIONS / pace.rate
    await asyncio.gather(kill(), *(one.call_until(end_s, pause_s) for one in callers))
    return tally


def main(argv: Sequence[str]) -> int:
    """Measure what the command line says and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endurance", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="default: 600")
    parser.add_argument("--every", type=float, default=20.0, help="seconds between two kills")
    options = parser.parse_args(argv)
    session = Session(str(_ROOT), environ=dict(os.environ), quiet=True, debug=False)
    settings = Settings(session.environ, session.engine_dir)
    scratch = Path(tempfile.mkdtemp(prefix="twinforge-endurance-"))
    try:
        engine = find_engine(settings)
        if engine is None:
            message = "there is no engine to measure with"
            raise MissingToolError(message, hint="run `python build.py engine ensure`")
        bench = Bench(engine, _ROOT, scratch, machine_ca(session.environ.get("SSL_CERT_FILE", "")))
        image = build_project(bench, "pids")
        with serving(bench, image, *_LIMITS) as (container, address):
            peak = measure_one(bench, address, PAYLOADS[0], _CONNECTIONS).per_second
            pace = Pace(_SHARE * peak, options.seconds, options.every)
            tally = asyncio.run(endure(bench, container, address, pace))
        text = _report(tally, peak, pace, machine_line(engine, engine_status(settings)))
    except TwinforgeError as error:
        print(f"error: {error}\nhint: {error.hint}", file=sys.stderr)
        return error.exit_status
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(text)
    if tally.examples:
        print("\n".join(tally.examples), file=sys.stderr)
    if options.seconds == parser.get_default("seconds"):
        (Path(__file__).parent / "ENDURANCE.md").write_text(text, "utf-8")
    return 1 if tally.lost else 0


def _report(tally: Tally, peak: float, pace: Pace, machine: str) -> str:
    late = sorted(tally.late_s)
    p99_ms = 1000 * late[int(0.99 * (len(late) - 1))] if late else 0.0
    date = dt.datetime.now(dt.UTC).date().isoformat()
    return f"""# Endurance of the runtime

Load at {_SHARE:.0%} of the measured throughput while a worker is killed (SIGKILL) every
{pace.every_s:g} s; {_WORKERS} workers, {_CONNECTIONS} connections, {_CORES} cores.

- Machine: {machine}
- Command: `python -m benchmarks.endurance --seconds {pace.seconds:g} --every {pace.every_s:g}`
- Date: {date}

| measure | value |
| --- | ---: |
| throughput before | {peak:,.0f} requests/s |
| load | {pace.rate:,.0f} requests/s for {pace.seconds:g} s |
| workers killed | {len(tally.killed)} |
| requests | {tally.sent:,} |
| answered rightly | {tally.answered:,} |
| lost with a killed worker | {tally.lost_with_worker:,} |
| lost otherwise, or answered wrongly | {tally.lost:,} |
| 99th percentile, from when a request was due | {p99_ms:,.0f} ms |
"""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
