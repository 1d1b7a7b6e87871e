"""A training run: from `/opt/ml/input` to `/opt/ml/model/model.onnx`.

Source: "How Amazon SageMaker runs your training image", "Amazon SageMaker algorithms: output" and
"Use checkpoints in Amazon SageMaker" of the developer guide.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from classifier.app import MODEL_FILE, Model
from classifier.checkpoint import Checkpoint, CheckpointError
from classifier.device import CudaError, cuda_provider
from classifier.images import PIXELS, DataError, read_labelled

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["main"]

LOG = logging.getLogger("train")
CHANNEL = "training"
LONGEST_REASON = 1024  # characters of the failure file that DescribeTrainingJob shows
STOPPED = 128 + signal.SIGTERM
OPSET = 17  # the oldest ONNX Runtime of the recipe reads up to 21
RANGES = {"hidden_units": (1, 1024), "epochs": (1, 10_000), "seed": (0, 2**31 - 1)}
DEFAULTS = {"hidden_units": 64, "epochs": 100, "seed": 0}


class ConfigurationError(ValueError):
    """The job was configured in a way that this program can't work with."""


def main(root: Path = Path("/opt/ml")) -> int:
    """Train, and return the exit status. A failure is written where SageMaker looks for it."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    # PID 1 gets no default action for SIGTERM: without a handler a stop would wait for SIGKILL.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(STOPPED))
    try:
        _train(root)
    except Exception as error:  # whatever it is, it must reach the failure file
        expected = isinstance(error, (ConfigurationError, CheckpointError, CudaError, DataError))
        reason = str(error) if expected else f"{type(error).__name__}: {error}"
        LOG.exception("the training failed")
        path = root / "output" / "failure"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(reason[:LONGEST_REASON], encoding="utf-8")
        return 1
    return 0


def _train(root: Path) -> None:
    config = root / "input" / "config"
    chosen = _hyperparameters(_read_json(config / "hyperparameters.json"))
    if CHANNEL not in _read_json(config / "inputdataconfig.json"):
        message = f"the channel '{CHANNEL}' is missing"
        raise ConfigurationError(message)
    images, labels = read_labelled(root / "input" / "data" / CHANNEL)
    seen, held_out, seen_labels, held_out_labels = train_test_split(
        images, labels, test_size=0.2, stratify=labels, random_state=chosen["seed"]
    )
    LOG.info("%d images to learn from; the CUDA provider: %s", len(seen), cuda_provider())
    scaler = MaxAbsScaler().fit(seen)
    checkpoint = Checkpoint(root / "checkpoints", chosen["hidden_units"])
    network = _fit(scaler.transform(seen), seen_labels, chosen, checkpoint)
    pipeline = make_pipeline(scaler, network)
    graph = convert_sklearn(
        pipeline,
        "digits",
        initial_types=[("pixels", FloatTensorType([None, PIXELS]))],
        target_opset=OPSET,
        options={"zipmap": False},
    )
    folder = root / "model"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_bytes(graph.SerializeToString())
    # what was written is judged, by the runtime that will serve it
    digits = Model.load(folder).predict(held_out)
    right = sum(int(digit == label) for digit, label in zip(digits, held_out_labels, strict=True))
    # What metric definitions of a training job find: a name, "=", a number, ";".
    LOG.info("validation:accuracy=%.4f;", right / len(digits))


def _fit(
    rows: NDArray[np.float32],
    labels: NDArray[np.int64],
    chosen: dict[str, int],
    checkpoint: Checkpoint,
) -> MLPClassifier:
    """Learn epoch by epoch, from where a checkpoint is, until it helps no more."""
    network, done = checkpoint.read() or (None, 0)
    if network is None:
        network = MLPClassifier((chosen["hidden_units"],), random_state=chosen["seed"])
    else:
        LOG.info("going on from epoch %d", done)
    digits = np.unique(labels)
    for epoch in range(done + 1, chosen["epochs"] + 1):
        network.partial_fit(rows, labels, classes=digits)
        checkpoint.write(network, epoch)
        LOG.info("epoch %d of %d, loss=%.5f;", epoch, chosen["epochs"], network.loss_)
    return network


def _hyperparameters(texts: dict[str, Any]) -> dict[str, int]:
    values = dict(DEFAULTS)
    for name, text in texts.items():
        if name.startswith(("sagemaker_", "_tuning_")):  # SageMaker's own
            continue
        if name not in RANGES:
            message = f"the hyperparameter '{name}' is unknown; known are {', '.join(RANGES)}"
            raise ConfigurationError(message)
        least, most = RANGES[name]
        if not text.isdecimal() or not least <= int(text) <= most:
            message = f"the hyperparameter '{name}' is '{text}', allowed is {least} to {most}"
            raise ConfigurationError(message)
        values[name] = int(text)
    return values


def _read_json(path: Path) -> dict[str, Any]:
    """Return an object of a configuration file; a job without any has no file."""
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return document
