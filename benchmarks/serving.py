"""From ``docker run`` to the first answer of ``/ping``, with a model that was trained before."""

from __future__ import annotations

import http.client
import json
import shutil
import time
from typing import TYPE_CHECKING

from twinforge.errors import SmokeError

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.bench import Bench
    from benchmarks.pair import Pair

__all__ = ["answers", "time_to_ping", "train_model"]

_LIMIT_S = 300.0
_HTTP_OK = 200


def train_model(bench: Bench, image: str, pair: Pair, root: Path) -> Path:
    """Train as the recipe's smoke does, and return the folder with the model.

    Raises:
        SmokeError: The recipe has no training to smoke.
        CommandError: The training failed.
    """
    training = pair.recipe.smoke.train
    if training is None:
        message = f"the recipe '{pair.recipe.name}' says nothing of a training"
        raise SmokeError(message)
    ml = bench.scratch / "ml"
    config = ml / "input" / "config"
    config.mkdir(parents=True)
    (ml / "model").mkdir()
    (ml / "output").mkdir()
    for channel, folder in training.channels.items():
        shutil.copytree(root / folder, ml / "input" / "data" / channel)
    documents: dict[str, object] = {
        "hyperparameters.json": dict(training.hyperparameters),
        "inputdataconfig.json": {
            channel: {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated"}
            for channel in training.channels
        },
        "resourceconfig.json": {"current_host": "algo-1", "hosts": ["algo-1"]},
    }
    for name, document in documents.items():
        (config / name).write_text(json.dumps(document), "utf-8")
    bench.docker("run", "--rm", "--volume", f"{ml}:/opt/ml", image, "train")
    return ml / "model"


def time_to_ping(bench: Bench, image: str, model: Path, *command: str) -> float:
    """Start a container, wait until ``/ping`` answers 200, remove it; return the seconds.

    Args:
        bench: The run.
        image: Reference or id.
        model: A folder with a model, which the container sees read-only.
        command: What the container runs; nothing for the image's own command.

    Raises:
        SmokeError: The container ended, or did not answer in time; with the end of its output.
    """
    trust = ["--volume", f"{bench.ca}:/run/ca.pem:ro", "--env", "PIP_CERT=/run/ca.pem"]
    options = ["--publish", "127.0.0.1::8080", "--volume", f"{model}:/opt/ml/model:ro"]
    start_s = time.perf_counter()
    container = bench.docker(
        "run", "--detach", *options, *(trust if bench.ca else []), image, *command
    )
    try:
        # The address is asked for only once; a container that has ended has none.
        address = bench.docker("port", container, "8080/tcp").splitlines()[0]
        checked_s = start_s
        while not answers(address):
            now_s = time.perf_counter()
            if now_s - start_s > _LIMIT_S or (
                now_s - checked_s > 1 and _has_ended(bench, container)
            ):
                output = bench.docker("logs", "--tail", "20", container)
                message = f"'{image}' does not answer /ping: {output}"
                raise SmokeError(message)
            if now_s - checked_s > 1:
                checked_s = now_s
            time.sleep(0.02)
        return time.perf_counter() - start_s
    finally:
        bench.docker("rm", "--force", "--volumes", container)


def answers(address: str) -> bool:
    """Whether ``/ping`` at ``host:port`` says 200."""
    connection = http.client.HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == _HTTP_OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _has_ended(bench: Bench, container: str) -> bool:
    state = bench.docker("container", "inspect", "--format", "{{.State.Running}}", container)
    return state != "true"
