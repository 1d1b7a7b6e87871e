"""Learns the mean of all numbers of a channel, scaled."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from numbers_of import numbers_of  # type: ignore[import-not-found]  # is beside this file

if TYPE_CHECKING:
    from twinforge.runtime import Job

METRICS = {"train:mean": r"mean=([0-9.]+);"}


@dataclass
class Hyperparameters:
    """What a job may set."""

    scale: float = 1.0


def train(job: Job) -> None:
    """Write the mean as the model."""
    chosen = job.parse(Hyperparameters)
    numbers = [
        number
        for file in job.channel("training").files("*.csv")
        for number in numbers_of(file.read_text("utf-8"))
    ]
    mean = chosen.scale * sum(numbers) / len(numbers)
    print(f"mean={mean};")  # noqa: T201 - SageMaker finds a metric in the log
    (job.model_dir / "model.json").write_text(json.dumps({"mean": mean}), "utf-8")
