"""What the checks of one image share: its containers, its recipe, and what was found out so far."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from twinforge.errors import SmokeError
from twinforge.smoke.confinement import NO_NETWORK, Confinement
from twinforge.smoke.container import Mount
from twinforge.smoke.modelfiles import MODEL
from twinforge.smoke.optml import HOST_NAME, TRAIN_ENV

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from twinforge.model.recipe import Invocation, Recipe, TrainSmoke
    from twinforge.model.variant import Variant
    from twinforge.smoke.answers import Answer
    from twinforge.smoke.container import Bind, Containers, ImageFacts
    from twinforge.smoke.contract import Limits, Partner
    from twinforge.smoke.device import DeviceAsked
    from twinforge.smoke.record import Record
    from twinforge.smoke.running import Running

__all__ = ["FAILURE", "LONGEST_REASON", "PORT", "Bench", "Step", "ended", "tail", "telling"]

FAILURE = "/opt/ml/output/failure"
LONGEST_REASON = 1024
"""What the platform shows of that file, in characters."""
PORT = 8080
TAIL_LINES = 15

Step = Callable[[], str]
"""Does one check: returns in one line what was right, or raises SmokeError with what was not."""


@dataclass(slots=True)
class Bench:
    """What the checks of one image share.

    Attributes:
        containers: Makes containers on the engine.
        facts: What the image says of itself.
        recipe: The variant's own.
        variant: Whose image it is.
        root: The project, to which the recipe's paths are relative.
        locked: Name and version of every Python package that must be installed.
        limits: How long each step may take.
        model: The volume that is at ``/opt/ml/model`` when the image trains and serves.
        network: A network without a way out, from which this machine reaches containers.
        partner: The CPU image of the same kind, where there is one to compare with.
        record: Takes the checks, and what containers print.
        asked: The ids of the checks that are to be done.
        device: For which CUDA and GPUs the image is to be.
        train_s: How long the training run took; 0 before it.
        ping_s: From the start of ``serve`` to its first good answer; 0 before it.
        answers: To the recipe's requests, by their index; those that were right.
    """

    containers: Containers
    facts: ImageFacts
    recipe: Recipe
    variant: Variant
    root: Path
    locked: Mapping[str, str]
    limits: Limits
    model: str
    network: str
    partner: Partner | None
    record: Record
    asked: frozenset[str]
    device: DeviceAsked
    train_s: float = 0.0
    ping_s: float = 0.0
    answers: dict[int, Answer] = field(default_factory=dict)

    @property
    def train(self) -> TrainSmoke:
        """The recipe's training run.

        Raises:
            SmokeError: It declares none.
        """
        declared = self.recipe.smoke.train
        if declared is None:
            message = "the recipe declares no training run"
            raise SmokeError(message)
        return declared

    @property
    def case(self) -> tuple[int, Invocation]:
        """The smallest of the recipe's requests that are answered with 200, and its index.

        Raises:
            SmokeError: It declares none, or a body can't be read.
        """
        return self.cases[0]

    @property
    def cases(self) -> Sequence[tuple[int, Invocation]]:
        """The recipe's requests that are answered with 200, each with its index, small ones first.

        Raises:
            SmokeError: It declares none, or a body can't be read.
        """
        good = [
            (len(self.body(one)), index, one)
            for index, one in enumerate(self.recipe.smoke.invocations)
            if one.status == HTTPStatus.OK
        ]
        if not good:
            message = "the recipe declares no request that is answered with 200"
            raise SmokeError(message)
        return [(index, one) for _, index, one in sorted(good, key=lambda one: one[:2])]

    @contextmanager
    def server(
        self,
        log: str,
        confinement: Confinement,
        *,
        port: int = PORT,
        image_id: str = "",
        writable: bool = False,
    ) -> Iterator[Running]:
        """Start ``serve`` with the model that was trained; its log goes where logs go.

        Args:
            log: What the log calls it.
            confinement: What it may reach, write and use.
            port: Where it is to listen; another than 8080 is told to it.
            image_id: Of another image, such as the partner's.
            writable: Whether the model can be written, which it can't on SageMaker.
        """
        with self.containers.start(
            image_id or self.facts.id,
            ["serve"],
            env={} if port == PORT else {"SAGEMAKER_BIND_TO_PORT": str(port)},
            mounts=[Mount(self.model, MODEL, read_only=not writable)],
            port=port,
            confinement=confinement,
        ) as server:
            try:
                yield server
            finally:
                self.record.log(log, server.logs())

    @property
    def serving(self) -> Confinement:
        """How serving is confined: this machine reaches it, and it reaches nothing."""
        return Confinement(network=self.network)

    def body(self, invocation: Invocation) -> bytes:
        """Return the body of one of the recipe's requests.

        Raises:
            SmokeError: Its file can't be read.
        """
        try:
            return (self.root / invocation.body).read_bytes()
        except OSError as error:
            message = f"the body of the request can't be read: {error}"
            raise SmokeError(message) from error

    def labels(self, invocation: Invocation) -> Sequence[object]:
        """Return the labels that the answer to a request must agree with; none where there are none.

        Raises:
            SmokeError: They can't be read.
        """
        if not invocation.labels:
            return ()
        path = self.root / invocation.labels
        try:
            labels = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            message = f"the labels can't be read: {error}"
            raise SmokeError(message) from error
        if not isinstance(labels, list):
            message = f"the labels in '{path.name}' are no JSON array"
            raise SmokeError(message)
        return labels

    @contextmanager
    def job(
        self,
        check: str,
        fill: Callable[[Path], None],
        mounts: Sequence[Mount | Bind] = (),
        *,
        network: str = NO_NETWORK,
    ) -> Iterator[Running]:
        """Start a training job whose ``/opt/ml`` was filled; its log goes where logs go.

        Args:
            check: What the log calls it.
            fill: Writes the content of ``/opt/ml`` into an empty folder.
            mounts: Volumes, such as the one for ``/opt/ml/model``.
            network: What it reaches.
        """
        with tempfile.TemporaryDirectory() as parent:
            opt_ml = Path(parent, "ml")
            opt_ml.mkdir()
            fill(opt_ml)
            with self.containers.start(
                self.facts.id,
                ["train"],
                env=TRAIN_ENV,
                hostname=HOST_NAME,
                opt_ml=opt_ml,
                mounts=mounts,
                confinement=Confinement(network=network),
            ) as job:
                try:
                    yield job
                finally:
                    self.record.log(check, job.logs())


@contextmanager
def telling(container: Running) -> Iterator[None]:
    """Add the last lines of a container's log to what went wrong with it."""
    try:
        yield
    except SmokeError as error:
        message = f"{error.message}\n{tail(container.logs())}"
        raise SmokeError(message) from error


def ended(status: int | None, limit_s: float) -> str:
    """Return how a container ended, as the end of a sentence."""
    return f"did not end within {limit_s:g} s" if status is None else f"ended with status {status}"


def tail(output: str) -> str:
    """Return the last lines of a log, drawn as a quotation."""
    lines = output.strip().splitlines()
    return "\n".join(f"  | {line}" for line in lines[-TAIL_LINES:]) or "  | (it printed nothing)"
