"""Measures Twinforge against hand-written Dockerfiles: ``python -m benchmarks.measure``.

A run that measures all scenarios writes ``RESULTS.md`` beside this file; any other only prints. One
that was interrupted goes on with ``--resume``. The exit status is 0 when everything was measured and
every target is reached.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.bench import Bench
from benchmarks.kept import Kept, state_of
from benchmarks.results import Result, Sample, machine_line, markdown
from benchmarks.scenarios import SCENARIOS
from twinforge.cli.session import Session
from twinforge.engine.engine import Settings, engine_status, find_engine
from twinforge.errors import CommandError, MissingToolError, TwinforgeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.scenario import Scenario
    from twinforge.engine.engine import Engine

__all__ = ["machine_ca", "main"]

_ROOT = Path(__file__).parents[1]
_SYSTEM_CA = Path("/etc/ssl/certs/ca-certificates.crt")
_KEPT = _ROOT / ".twinforge" / "benchmarks.json"
_FEWEST_ROUNDS = 3


def main(argv: Sequence[str]) -> int:
    """Measure what the command line says and return the exit status."""
    options = _parser().parse_args(argv)
    names = options.scenario or list(SCENARIOS)
    # By default, Python compiles a module once and not at each start.
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    session = Session(str(_ROOT), environ=environ, quiet=True, debug=False)
    settings = Settings(session.environ, session.engine_dir)
    try:
        engine = find_engine(settings)
        if engine is None:
            message = "there is no engine to measure with"
            raise MissingToolError(message, hint="run `python build.py engine ensure`")
        _refuse_to_prune(engine, names, allowed=options.allow_prune)
    except TwinforgeError as error:
        print(f"error: {error}\nhint: {error.hint}", file=sys.stderr)
        return error.exit_status
    scratch = Path(tempfile.mkdtemp(prefix="twinforge-bench-"))
    try:
        bench = Bench(engine, _ROOT, scratch, machine_ca(session.environ.get("SSL_CERT_FILE", "")))
        kept = Kept(_KEPT, f"{state_of(_ROOT)} {options.recipe} {options.wheel} {options.rounds}")
        measured = kept.results() if options.resume else {}
        if not (options.resume or options.scenario):
            kept.forget()
        for name in names:
            if name not in measured:
                scenario = SCENARIOS[name](bench, options.recipe, options.wheel)
                measured[name] = _measured(scenario, scenario.rounds or options.rounds)
                kept.add(name, measured[name])
        results = [measured[name] for name in names]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    text = markdown(
        results,
        rounds=options.rounds,
        machine=machine_line(engine, engine_status(settings)),
        command=shlex.join(
            ["python", "-m", "benchmarks.measure", *(word for word in argv if word != "--resume")]
        ),
        date=dt.datetime.now(dt.UTC).date().isoformat(),
    )
    print(text)
    if not options.scenario and not any(result.failure for result in results):
        (Path(__file__).parent / "RESULTS.md").write_text(text, "utf-8")
        kept.forget()
    return 0 if all(result.is_met for result in results) else 1


def _measured(scenario: Scenario, rounds: int) -> Result:
    """Run all rounds; a scenario that fails says why and leaves the others alone."""
    ours: list[Sample] = []
    peer: list[Sample] = []
    try:
        _say(scenario, "setup")
        scenario.setup()
        for number in range(rounds):
            # Every second round begins with the other side: what the first leaves warm, such as
            # the mirror, must not always help the same one.
            for is_ours in (True, False) if number % 2 == 0 else (False, True):
                sample = scenario.ours(number) if is_ours else scenario.peer(number)
                if sample is not None:
                    (ours if is_ours else peer).append(sample)
                    _say(scenario, f"round {number + 1} {'ours' if is_ours else 'peer'} {sample}")
    except (TwinforgeError, LookupError, OSError) as error:
        _say(scenario, f"failed: {error}")
        print(getattr(error, "output", ""), file=sys.stderr)
        return Result(scenario.title, scenario.metrics, failure=_reason(error))
    return Result(scenario.title, scenario.metrics, tuple(ours), tuple(peer))


def _reason(error: Exception) -> str:
    """Return what a table may show: what a program printed can name this machine's paths."""
    if isinstance(error, CommandError):
        return f"{Path(error.argv[0]).name} ended with status {error.status}"
    return type(error).__name__


def _refuse_to_prune(engine: Engine, names: Sequence[str], *, allowed: bool) -> None:
    pruning = [name for name in names if SCENARIOS[name].prunes]
    if pruning and not engine.ours and not allowed:
        message = (
            f"{' and '.join(pruning)} would empty the build cache of an engine that is not "
            f"Twinforge's own, at {engine.host}"
        )
        hint = "choose others with --scenario, or say --allow-prune if nobody else uses that engine"
        raise UsageError(message, hint=hint)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.measure", description=__doc__)
    parser.add_argument(
        "--scenario",
        action="append",
        choices=list(SCENARIOS),
        help="measure this one only; may be given more than once",
    )
    parser.add_argument("--rounds", type=_rounds, default=_FEWEST_ROUNDS, help="default: 3")
    parser.add_argument("--recipe", default="digits", help="whose pair; default: digits")
    parser.add_argument("--wheel", default="pandas", help="whose pin changes; default: pandas")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="measure only what an interrupted run of the same commit has not measured",
    )
    parser.add_argument(
        "--allow-prune",
        action="store_true",
        help="empty the build cache of an engine that Twinforge has not started, too",
    )
    return parser


def _rounds(text: str) -> int:
    rounds = int(text)
    if rounds < _FEWEST_ROUNDS:
        message = f"a median needs at least {_FEWEST_ROUNDS} rounds"
        raise argparse.ArgumentTypeError(message)
    return rounds


def machine_ca(named: str) -> Path | None:
    """Return the certificates that a build may need: those of SSL_CERT_FILE, or the system's."""
    path = Path(named) if named else _SYSTEM_CA
    return path if path.is_file() else None


def _say(scenario: Scenario, text: str) -> None:
    print(f"{scenario.name}: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
