"""A training run: from `/opt/ml/input` to `/opt/ml/model/model.pt`.

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

import torch
from torch import nn

from perceptron.app import MODEL_FILE, make_network
from perceptron.checkpoint import Checkpoint, CheckpointError
from perceptron.images import DataError, read_labelled

__all__ = ["main"]

LOG = logging.getLogger("train")
CHANNEL = "training"
LONGEST_REASON = 1024  # characters of the failure file that DescribeTrainingJob shows
STOPPED = 128 + signal.SIGTERM
RANGES = {"epochs": (1, 10_000), "hidden_units": (1, 1024), "seed": (0, 2**31 - 1)}
DEFAULTS = {"epochs": 30, "hidden_units": 64, "seed": 0}


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
        expected = isinstance(error, (ConfigurationError, CheckpointError, DataError))
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
    device = "cuda" if torch.cuda.is_available() else "cpu"
    LOG.info("%d images, on %s", len(images), device)
    torch.manual_seed(chosen["seed"])
    pixels = torch.from_numpy(images / 16).to(device)
    classes = torch.from_numpy(labels).to(device)
    order = torch.randperm(len(pixels))
    held_out, seen = order[: len(order) // 5], order[len(order) // 5 :]
    network = make_network(chosen["hidden_units"]).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    loss = nn.CrossEntropyLoss()
    checkpoint = Checkpoint(root / "checkpoints", chosen["hidden_units"])
    done = checkpoint.read(network, optimizer, device)
    if done:
        LOG.info("going on from epoch %d", done)
    for epoch in range(done, chosen["epochs"]):
        for batch in seen[torch.randperm(len(seen))].split(64):
            optimizer.zero_grad()
            loss(network(pixels[batch]), classes[batch]).backward()
            optimizer.step()
        LOG.info("epoch %d of %d", epoch + 1, chosen["epochs"])
        checkpoint.write(network, optimizer, epoch + 1)
    with torch.inference_mode():
        right = (network(pixels[held_out]).argmax(dim=1) == classes[held_out]).sum()
    # What metric definitions of a training job find: a name, "=", a number, ";".
    LOG.info("validation:accuracy=%.4f;", int(right) / len(held_out))
    folder = root / "model"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(network.cpu().state_dict(), folder / MODEL_FILE)


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
