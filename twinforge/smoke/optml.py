"""The folder ``/opt/ml`` as a training job finds it.

Source: SageMaker developer guide, "How SageMaker provides training information"; the lower-case
name ``resourceconfig.json`` is that of the training toolkit and of the platform.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from twinforge.errors import SmokeError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from twinforge.model.recipe import TrainSmoke

__all__ = [
    "HOST_NAME",
    "TRAIN_ENV",
    "UNKNOWN_HYPERPARAMETER",
    "write_broken_job",
    "write_changed_job",
    "write_job",
    "write_job_without_channels",
    "write_opt_ml",
]

HOST_NAME = "algo-1"
_GROUP = "homogeneousCluster"
_INSTANCE_TYPE = "ml.m5.large"

TRAIN_ENV = {
    "TRAINING_JOB_NAME": "twinforge-smoke",
    "TRAINING_JOB_ARN": "arn:aws:sagemaker:eu-west-1:123456789012:training-job/twinforge-smoke",
}
"""All that the platform sets by itself."""

UNKNOWN_HYPERPARAMETER = {"twinforge_no_such_hyperparameter": "1"}


def write_opt_ml(
    folder: Path, *, hyperparameters: Mapping[str, str], channels: Mapping[str, Path]
) -> None:
    """Write the tree of a job into an empty folder; the files of the channels are copied.

    ``model`` is not in it: it is a volume of its own.

    Raises:
        SmokeError: A channel's files can't be read.
    """
    config = folder / "input" / "config"
    data = folder / "input" / "data"
    for path in (config, data, folder / "output" / "data"):
        path.mkdir(parents=True)
    documents: dict[str, object] = {
        "hyperparameters.json": dict(hyperparameters),
        "inputdataconfig.json": {name: _channel() for name in channels},
        "resourceconfig.json": _resources(),
    }
    for name, document in documents.items():
        (config / name).write_text(json.dumps(document, indent=2), encoding="utf-8")
    for name, source in channels.items():
        try:
            if source.is_dir():
                shutil.copytree(source, data / name)
            else:
                (data / name).mkdir()
                shutil.copy(source, data / name)
        except (OSError, shutil.Error) as error:
            message = f"the files of the channel '{name}' can't be read: {error}"
            raise SmokeError(message) from error


def write_job(folder: Path, train: TrainSmoke, root: Path) -> None:
    """Write the tree of the job that a recipe declares; its paths are relative to ``root``."""
    channels = {name: root / path for name, path in train.channels.items()}
    write_opt_ml(folder, hyperparameters=train.hyperparameters, channels=channels)


def write_broken_job(folder: Path, train: TrainSmoke) -> None:
    """Write the tree of a job that can't succeed: no channels, an unknown hyperparameter."""
    hyperparameters = {**train.hyperparameters, **UNKNOWN_HYPERPARAMETER}
    write_opt_ml(folder, hyperparameters=hyperparameters, channels={})


def write_changed_job(
    folder: Path, train: TrainSmoke, root: Path, *, hyperparameters: Mapping[str, str]
) -> None:
    """Write the tree of the job that a recipe declares, with more or other hyperparameters."""
    changed = {**train.hyperparameters, **hyperparameters}
    write_job(folder, replace(train, hyperparameters=changed), root)


def write_job_without_channels(folder: Path, train: TrainSmoke) -> None:
    """Write the tree of the job that a recipe declares, without its channels."""
    write_opt_ml(folder, hyperparameters=train.hyperparameters, channels={})


def _channel() -> dict[str, str]:
    return {
        "TrainingInputMode": "File",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": "None",
    }


def _resources() -> dict[str, object]:
    return {
        "current_host": HOST_NAME,
        "current_instance_type": _INSTANCE_TYPE,
        "current_group_name": _GROUP,
        "hosts": [HOST_NAME],
        "instance_groups": [
            {
                "instance_group_name": _GROUP,
                "instance_type": _INSTANCE_TYPE,
                "hosts": [HOST_NAME],
            }
        ],
        "network_interface_name": "eth0",
    }
