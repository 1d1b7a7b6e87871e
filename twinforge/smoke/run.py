"""The smoke of one image: every check, in the order in which they need each other."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from twinforge.errors import SmokeError
from twinforge.smoke.answers import judge_answer
from twinforge.smoke.container import Mount, open_containers
from twinforge.smoke.contract import CONTRACT_LIMITS, SmokeReport, invocation_check
from twinforge.smoke.installed import LIST_INSTALLED, PYTHON, compare_installed, parse_installed
from twinforge.smoke.modelfiles import MODEL, judge_model, judge_unchanged
from twinforge.smoke.optml import HOST_NAME, TRAIN_ENV, write_broken_job, write_job
from twinforge.smoke.record import Record
from twinforge.smoke.serving import invoke, wait_for_ping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from twinforge.engine.engine import Engine
    from twinforge.events import Listener
    from twinforge.model.recipe import Invocation, Recipe, TrainSmoke
    from twinforge.model.variant import Variant
    from twinforge.smoke.container import Containers, ImageFacts
    from twinforge.smoke.contract import Limits
    from twinforge.smoke.running import Running

__all__ = ["run_smoke"]

FAILURE = "/opt/ml/output/failure"
PORT = 8080
TAIL_LINES = 15
STOPPED_WELL = (0, 143)  # of its own accord, or by SIGTERM's default action


def run_smoke(  # noqa: PLR0913 - what is smoked, and what it is smoked with
    image: str,
    recipe: Recipe,
    variant: Variant,
    locked: Mapping[str, str],
    *,
    root: Path,
    engine: Engine,
    listener: Listener,
    log: Path,
    limits: Limits = CONTRACT_LIMITS,
    cancelled: threading.Event | None = None,
) -> SmokeReport:
    """Check an image against SageMaker's contract and its recipe; several may run at once.

    Args:
        image: Its reference or id; what is checked is the id that it has now.
        recipe: Says how to train and what to ask.
        variant: Names the image in events and in the report.
        locked: Name and version of every Python package that must be installed.
        root: The project, to which the recipe's paths are relative.
        engine: Has the image.
        listener: Is told of every check; of the beginning and the end the caller tells.
        log: Gets all that the containers print; replaced.
        limits: How long each step may take.
        cancelled: Set by another thread, ends the smoke early; what did not run did not pass.

    Returns:
        One check per rule that applies, passed or not; a failed check is not an exception.

    Raises:
        SmokeError: The engine has no such image.
        MissingToolError: The engine does not answer.
    """
    stop = cancelled or threading.Event()
    record = Record(variant.id, recipe.smoke, listener, log)
    with open_containers(engine, label=variant.id, cancelled=stop) as containers:
        facts = containers.inspect(image)
        smoke = _Smoke(containers, facts, recipe, record, root=root, limits=limits)
        smoke.check_image(locked)
        with containers.volume() as model:
            if recipe.smoke.train is not None:
                smoke.check_train(recipe.smoke.train, model)
            if recipe.smoke.train is not None or recipe.smoke.invocations:
                smoke.check_serve(recipe.smoke.invocations, model)
    return SmokeReport(facts.id, variant.id, record.checks, smoke.ping_s)


class _Smoke:
    """The checks of one image, and what the later of them need to know of the earlier."""

    def __init__(  # noqa: PLR0913 - everything that the checks share
        self,
        containers: Containers,
        facts: ImageFacts,
        recipe: Recipe,
        record: Record,
        *,
        root: Path,
        limits: Limits,
    ) -> None:
        self._containers = containers
        self._facts = facts
        self._recipe = recipe
        self._root = root
        self._record = record
        self._limits = limits
        self._found: Mapping[str, str] = {}
        self.ping_s = 0.0

    def check_image(self, locked: Mapping[str, str]) -> None:
        """Check what can be seen without training or serving."""
        self._record.check("image.no-entrypoint", self._no_entrypoint)
        self._record.check("programs", self._programs)
        self._record.check("installed", lambda: self._installed(locked))

    def check_train(self, train: TrainSmoke, model: str) -> None:
        """Check a training job that must succeed and one that must fail."""
        needs = self._needs("train")
        self._record.check("train", lambda: self._train(train, model), needs=needs)
        self._record.check("train.fails-properly", lambda: self._train_fails(train), needs=needs)

    def check_serve(self, invocations: Sequence[Invocation], model: str) -> None:
        """Check a serving container from its start to its end."""
        trained = ("train",) if self._recipe.smoke.train is not None else ()
        needs = (*self._needs("serve"), *trained)
        if not self._record.can_run("serve.ping", needs):
            return
        mount = Mount(model, MODEL, read_only=True)
        try:
            with self._containers.start(
                self._facts.id, ["serve"], mounts=[mount], port=PORT
            ) as server:
                try:
                    self._serve(server, invocations)
                finally:
                    self._record.log("serve", server.logs())
        except SmokeError as error:
            # Only what is around the checks gets here: the start, the log and the removal.
            self._record.check("serve.ping", _failing(error))

    def _serve(self, server: Running, invocations: Sequence[Invocation]) -> None:
        before = server.entries(MODEL)
        self._record.check("serve.ping", lambda: self._ping(server))
        up = ("serve.ping",)
        for index, invocation in enumerate(invocations):
            self._record.check(
                invocation_check(index),
                lambda invocation=invocation: self._invoke(server, invocation),  # type: ignore[misc]  # mypy can't infer a lambda's default
                needs=up,
            )
        self._record.check("serve.stop", lambda: self._stop(server), needs=up)
        self._record.check(
            "model.read-only", lambda: judge_unchanged(before, server.entries(MODEL)), needs=up
        )

    def _needs(self, program: str) -> tuple[str, ...]:
        return () if program in self._found else ("programs",)

    def _no_entrypoint(self) -> str:
        for name, value in (("ENTRYPOINT", self._facts.entrypoint), ("CMD", self._facts.command)):
            if value:
                message = f"the image sets {name} to {json.dumps(value)}"
                raise SmokeError(message)
        return "neither ENTRYPOINT nor CMD"

    def _programs(self) -> str:
        names = ("train", "serve")
        self._found = self._containers.find_programs(self._facts, names)
        missing = [name for name in names if name not in self._found]
        if missing:
            what = " and ".join(f"'{name}'" for name in missing)
            message = f"no executable {what} on the PATH {':'.join(self._facts.path)}"
            raise SmokeError(message)
        return " and ".join(self._found[name] for name in names)

    def _installed(self, locked: Mapping[str, str]) -> str:
        with self._containers.start(
            self._facts.id, ["-I", "-c", LIST_INSTALLED], entrypoint=[PYTHON]
        ) as python:
            status = python.wait(self._limits.request_s)
            output = python.logs()
        self._record.log("installed", output)
        if status != 0:
            message = f"{PYTHON} {_ended(status, self._limits.request_s)}\n{_tail(output)}"
            raise SmokeError(message)
        differences = compare_installed(locked, parse_installed(output))
        if differences:
            raise SmokeError("; ".join(differences))
        return f"{len(locked)} packages, all as locked"

    def _train(self, train: TrainSmoke, model: str) -> str:
        def fill(folder: Path) -> None:
            write_job(folder, train, self._root)

        with self._job("train", fill, (Mount(model, MODEL),)) as job:
            status = job.wait(self._limits.train_s)
            if status != 0:
                reason = job.read_text(FAILURE)
                said = f", {FAILURE} says: {reason}" if reason else ""
                message = f"'train' {_ended(status, self._limits.train_s)}{said}"
                raise SmokeError(message)
            if (reason := job.read_text(FAILURE)) is not None:
                message = f"'train' ended with status 0 and yet wrote {FAILURE}: {reason}"
                raise SmokeError(message)
            return judge_model(job.entries(MODEL))

    def _train_fails(self, train: TrainSmoke) -> str:
        def fill(folder: Path) -> None:
            write_broken_job(folder, train)

        with self._containers.volume() as model:
            mounts = (Mount(model, MODEL),)
            with self._job("train.fails-properly", fill, mounts) as job:
                status = job.wait(self._limits.train_s)
                reason = job.read_text(FAILURE)
                what = "without channels and with an unknown hyperparameter"
                if status is None or status == 0:
                    message = f"'train' {what} {_ended(status, self._limits.train_s)}"
                    raise SmokeError(message)
                if reason is None or not reason.strip():
                    message = f"'train' ended with status {status} and did not write {FAILURE}"
                    raise SmokeError(message)
        return f"status {status}: {reason.strip().splitlines()[0]}"

    def _ping(self, server: Running) -> str:
        limit = self._recipe.smoke.startup_s
        with _telling(server):
            self.ping_s = wait_for_ping(server, within_s=limit, ping_s=self._limits.ping_s)
        return f"200 after {self.ping_s:.2f} s"

    def _invoke(self, server: Running, invocation: Invocation) -> str:
        labels = _read_labels(self._root / invocation.labels) if invocation.labels else ()
        with _telling(server):
            answer = invoke(server, invocation, root=self._root, timeout_s=self._limits.request_s)
            return judge_answer(invocation, answer, labels)

    def _stop(self, server: Running) -> str:
        with _telling(server):
            started = time.monotonic()
            server.terminate()
            status = server.wait(self._limits.stop_s)
            if status not in STOPPED_WELL:
                message = f"after SIGTERM, 'serve' {_ended(status, self._limits.stop_s)}"
                raise SmokeError(message)
        return f"status {status} {time.monotonic() - started:.2f} s after SIGTERM"

    @contextmanager
    def _job(
        self, check: str, fill: Callable[[Path], None], mounts: Sequence[Mount]
    ) -> Iterator[Running]:
        """Start a training job whose ``/opt/ml`` was filled; its log goes where logs go."""
        with tempfile.TemporaryDirectory() as parent:
            opt_ml = Path(parent, "ml")
            opt_ml.mkdir()
            fill(opt_ml)
            with self._containers.start(
                self._facts.id,
                ["train"],
                env=TRAIN_ENV,
                hostname=HOST_NAME,
                opt_ml=opt_ml,
                mounts=mounts,
            ) as job:
                try:
                    with _telling(job):
                        yield job
                finally:
                    self._record.log(check, job.logs())


@contextmanager
def _telling(container: Running) -> Iterator[None]:
    """Add the last lines of a container's log to what went wrong with it."""
    try:
        yield
    except SmokeError as error:
        message = f"{error.message}\n{_tail(container.logs())}"
        raise SmokeError(message) from error


def _failing(error: SmokeError) -> Callable[[], str]:
    def step() -> str:
        raise error

    return step


def _read_labels(path: Path) -> Sequence[object]:
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"the labels can't be read: {error}"
        raise SmokeError(message) from error
    if not isinstance(labels, list):
        message = f"the labels in '{path.name}' are no JSON array"
        raise SmokeError(message)
    return labels


def _ended(status: int | None, limit_s: float) -> str:
    return f"did not end within {limit_s:g} s" if status is None else f"ended with status {status}"


def _tail(output: str) -> str:
    lines = output.strip().splitlines()
    return "\n".join(f"  | {line}" for line in lines[-TAIL_LINES:]) or "  | (it printed nothing)"
