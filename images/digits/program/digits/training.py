"""A training run: from `/opt/ml/input` to a model in `/opt/ml/model`.

Source: "How Amazon SageMaker runs your training image", "Amazon SageMaker algorithms: output" and
"Use checkpoints in Amazon SageMaker" of the developer guide.
"""

from __future__ import annotations

import ctypes
import json
import logging
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xgboost
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

from digits.checkpoint import Checkpoint, Rounds
from digits.hyperparameters import HyperparameterError, Hyperparameters
from digits.images import CLASSES, DataError, read_labelled
from digits.model import MODEL_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["main"]

LOG = logging.getLogger("train")
CHANNEL = "training"
LONGEST_REASON = 1024  # characters of the failure file that DescribeTrainingJob shows
STOPPED = 128 + signal.SIGTERM


class ConfigurationError(ValueError):
    """The job was configured in a way that this program can't work with."""


def main(root: Path = Path("/opt/ml")) -> int:
    """Train, and return the exit status. A failure is written where SageMaker looks for it."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    stop = threading.Event()
    # PID 1 gets no default action for SIGTERM: without a handler a stop would wait for SIGKILL.
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        return _train(root, stop)
    except Exception as error:  # whatever it is, it must reach the failure file
        expected = isinstance(error, (ConfigurationError, DataError, HyperparameterError))
        reason = str(error) if expected else f"{type(error).__name__}: {error}"
        LOG.exception("the training failed")
        _write_failure(root, reason)
        return 1


def _train(root: Path, stop: threading.Event) -> int:
    config = root / "input" / "config"
    chosen = Hyperparameters.parse(_read_json(config / "hyperparameters.json"))
    images, labels = read_labelled(_channel(root, _read_json(config / "inputdataconfig.json")))
    seen, held_out, seen_labels, held_out_labels = train_test_split(
        images,
        labels,
        test_size=chosen.validation_share,
        stratify=labels,
        random_state=chosen.seed,
    )
    device = "cuda" if _visible_gpus() else "cpu"
    LOG.info("%d images to learn from, %d held out, on %s", len(seen), len(held_out), device)
    if stop.is_set():
        LOG.info("stopped before the first round")
        return STOPPED
    checkpoint = Checkpoint(root / "checkpoints")
    begun = checkpoint.read(chosen.num_round)
    rounds = begun.num_boosted_rounds() if begun else 0
    if begun:
        LOG.info("going on from round %d", rounds)
    validation = xgboost.DMatrix(held_out, label=held_out_labels)
    booster = xgboost.train(
        {
            "objective": "multi:softprob",
            "num_class": CLASSES,
            "eval_metric": "mlogloss",
            "tree_method": "hist",
            "device": device,
            "max_depth": chosen.max_depth,
            "eta": chosen.eta,
            "subsample": chosen.subsample,
            "seed": chosen.seed,
        },
        xgboost.DMatrix(seen, label=seen_labels),
        num_boost_round=chosen.num_round - rounds,
        evals=[(validation, "validation")],
        verbose_eval=max(1, chosen.num_round // 10),
        callbacks=[Rounds(checkpoint, stop)],
        xgb_model=begun,
    )
    checkpoint.write(booster)
    accuracy = accuracy_score(held_out_labels, booster.predict(validation).argmax(axis=1))
    # What metric definitions of a training job find: a name, "=", a number, ";".
    LOG.info("rounds=%d; validation:accuracy=%.4f;", booster.num_boosted_rounds(), accuracy)
    booster.set_param({"device": "cpu"})  # so that it loads where there is no GPU
    folder = root / "model"
    folder.mkdir(parents=True, exist_ok=True)
    booster.save_model(folder / MODEL_FILE)
    return 0


def _channel(root: Path, channels: Mapping[str, Mapping[str, str]]) -> Path:
    if CHANNEL not in channels:
        given = ", ".join(f"'{name}'" for name in channels) or "none"
        message = f"the channel '{CHANNEL}' is missing (given: {given})"
        raise ConfigurationError(message)
    mode = channels[CHANNEL].get("TrainingInputMode", "File")
    if mode not in ("File", "FastFile"):
        message = f"the channel '{CHANNEL}' has the input mode '{mode}', allowed are File, FastFile"
        raise ConfigurationError(message)
    return root / "input" / "data" / CHANNEL


def _read_json(path: Path) -> dict[str, Any]:
    """Return an object of a configuration file; a job without any has no file."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        message = f"'{path}' is not JSON: {error}"
        raise ConfigurationError(message) from error
    if not isinstance(document, dict):
        message = f"'{path}' is not a JSON object"
        raise ConfigurationError(message)
    return document


def _visible_gpus() -> int:
    """Count the GPUs that the driver shows; without a driver, or in a CPU build, there are none."""
    if not xgboost.build_info().get("USE_CUDA"):
        return 0
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value


def _write_failure(root: Path, reason: str) -> None:
    path = root / "output" / "failure"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(reason[:LONGEST_REASON], encoding="utf-8")
    except OSError:
        LOG.exception("the failure file could not be written")
