"""A training run: from `/opt/ml/input` to `/opt/ml/model/model.keras`.

Source: "How Amazon SageMaker runs your training image", "Amazon SageMaker algorithms: output" and
"Use checkpoints in Amazon SageMaker" of the developer guide.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from network.app import MODEL_FILE
from network.checkpoint import Checkpoint, KeepEpochs
from network.cuda import CudaError, cuda_state
from network.images import DataError, read_labelled

__all__ = ["main"]

LOG = logging.getLogger("train")
CHANNEL = "training"
LONGEST_REASON = 1024  # characters of the failure file that DescribeTrainingJob shows
STOPPED = 128 + signal.SIGTERM
RANGES = {"epochs": (1, 10_000), "batch_size": (1, 4096), "seed": (0, 2**31 - 1)}
DEFAULTS = {"epochs": 20, "batch_size": 32, "seed": 0}


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
        expected = isinstance(error, (ConfigurationError, CudaError, DataError))
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
    LOG.info("%d images; CUDA: %s", len(images), cuda_state())
    keras.utils.set_random_seed(chosen["seed"])
    order = np.random.default_rng(chosen["seed"]).permutation(len(images))
    images, labels = images[order].reshape(-1, 8, 8, 1), labels[order]
    checkpoint = Checkpoint(root / "checkpoints")
    begun = checkpoint.read()
    model, done = begun or (_network(), 0)
    if begun:
        LOG.info("going on from epoch %d", done)
    model.fit(
        images,
        labels,
        batch_size=chosen["batch_size"],
        initial_epoch=done,
        epochs=chosen["epochs"],
        validation_split=0.2,
        verbose=2,
        callbacks=[KeepEpochs(checkpoint)],
    )
    held_out = len(images) // 5
    _, accuracy = model.evaluate(images[-held_out:], labels[-held_out:], verbose=0)
    # What metric definitions of a training job find: a name, "=", a number, ";".
    LOG.info("validation:accuracy=%.4f;", accuracy)
    folder = root / "model"
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / MODEL_FILE)


def _network() -> keras.Model:
    network = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Rescaling(1 / 16),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax"),
        ]
    )
    network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
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
