"""A training job on the desk: what its container finds in ``/opt/ml`` and in its environment. Pure.

Source: SageMaker developer guide, "How SageMaker provides training information"; the lower-case
name ``resourceconfig.json`` is that of the training toolkit and of the platform.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import PurePath
from types import MappingProxyType
from typing import TYPE_CHECKING

from twinforge.errors import UsageError
from twinforge.sagemaker.local.files import Piece
from twinforge.sagemaker.model import check_requests
from twinforge.sagemaker.request import Request
from twinforge.sagemaker.training import LONGEST_RUNTIME_S

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ACCOUNT",
    "CODE",
    "HOST",
    "LocalJob",
    "check_job",
    "config_pieces",
    "job_env",
    "parse_env",
]

HOST = "algo-1"
ACCOUNT = "123456789012"
"""Stands in ARNs, which a program may take apart; it is the one that AWS uses in examples."""
CODE = "ml/code"
"""Where the code of script mode goes that is on this machine, below ``/opt``.

Source: sagemaker 2.257.7, ``local/image.py``.
"""
_CODE_SETTING = "sagemaker_submit_directory"
_FILE = "file://"
_GROUP = "homogeneousCluster"
_ROLE = f"arn:aws:iam::{ACCOUNT}:role/local"
_VOLUME_GB = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalJob:
    """A training job.

    Attributes:
        name: Its name.
        recipe: The recipe.
        variant: The variant's slug.
        image_id: The image.
        instance: The instance type that it is run like.
        channels: A folder or file of this machine, or an S3 address, by the channel's name.
        hyperparameters: By name; every value is text.
        env: Further variables.
        max_runtime_s: When it is stopped.
        is_isolated: Whether it reaches no network.
        region: The AWS region in its ARN.
    """

    name: str
    recipe: str
    variant: str
    image_id: str
    instance: str
    channels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    hyperparameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    max_runtime_s: int = 86400
    is_isolated: bool = False
    region: str = "us-east-1"

    @property
    def code(self) -> str:
        """The code of script mode where it is on this machine, else empty."""
        text = self.hyperparameters.get(_CODE_SETTING, "")
        try:
            said = json.loads(text)  # so the SDK writes it
        except ValueError:
            said = text
        is_here = isinstance(said, str) and said.startswith(_FILE)
        return said.removeprefix(_FILE) if is_here else ""


def check_job(job: LocalJob) -> None:
    """Refuse what CreateTrainingJob would refuse.

    Raises:
        UsageError: It would run for longer than any job may.
        TwinforgeError: Names, values or their number are not those that the service takes; all
            problems are named.
    """
    if not 1 <= job.max_runtime_s <= LONGEST_RUNTIME_S:
        message = f"a job runs for 1 to {LONGEST_RUNTIME_S} s, not {job.max_runtime_s}"
        raise UsageError(message)
    parameters: dict[str, object] = {
        "TrainingJobName": job.name,
        "AlgorithmSpecification": {"TrainingInputMode": "File", "TrainingImage": job.recipe},
        "RoleArn": _ROLE,
        "OutputDataConfig": {"S3OutputPath": "s3://local"},
        "ResourceConfig": {
            "InstanceType": job.instance,
            "InstanceCount": 1,
            "VolumeSizeInGB": _VOLUME_GB,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": job.max_runtime_s},
        "HyperParameters": dict(job.hyperparameters),
        "Environment": dict(job.env),
    }
    if job.channels:
        source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://local"}}
        parameters["InputDataConfig"] = [
            {"ChannelName": name, "DataSource": source} for name in job.channels
        ]
    check_requests((Request("CreateTrainingJob", parameters),))


def config_pieces(job: LocalJob) -> tuple[Piece, ...]:
    """Return the folders and configuration of ``/opt/ml``, as they lie below ``/opt``."""
    hyperparameters = dict(job.hyperparameters)
    if job.code:
        name = PurePath(job.code).name
        folder = f"/opt/{CODE}"
        is_archive = name.endswith((".tar.gz", ".tgz"))
        hyperparameters[_CODE_SETTING] = json.dumps(f"{folder}/{name}" if is_archive else folder)
    documents: dict[str, object] = {
        "hyperparameters.json": hyperparameters,
        "inputdataconfig.json": {name: _channel() for name in job.channels},
        "resourceconfig.json": _resources(job.instance),
    }
    folders = ("ml/input/config", "ml/input/data", "ml/model", "ml/output/data", "ml/checkpoints")
    return (
        *(Piece(folder, None) for folder in folders),
        *(
            Piece(f"ml/input/config/{name}", json.dumps(document, indent=2).encode())
            for name, document in documents.items()
        ),
    )


def job_env(job: LocalJob) -> dict[str, str]:
    """Return the variables of a job: those of the platform, and those that were asked for."""
    arn = f"arn:aws:sagemaker:{job.region}:{ACCOUNT}:training-job/{job.name}"
    return {**job.env, "TRAINING_JOB_NAME": job.name, "TRAINING_JOB_ARN": arn}


def parse_env(texts: tuple[str, ...], environ: Mapping[str, str]) -> dict[str, str]:
    """Parse ``NAME=value``; ``NAME`` alone has its value from the environment.

    Args:
        texts: What was given.
        environ: The caller's environment, so that a secret need not be written in a command.

    Raises:
        UsageError: One is neither, or one is named twice. A value is never told: it may be a secret.
    """
    found: dict[str, str] = {}
    for number, text in enumerate(texts, 1):
        name, sign, value = text.partition("=")
        if not name or not (sign or name in environ):
            message = (
                f"variable {number} is neither NAME=value nor the name of one that is set here"
            )
            raise UsageError(message)
        if name in found:
            message = f"the variable '{name}' is given twice"
            raise UsageError(message)
        found[name] = value if sign else environ[name]
    return found


def _channel() -> dict[str, str]:
    return {
        "TrainingInputMode": "File",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": "None",
    }


def _resources(instance: str) -> dict[str, object]:
    group = {"instance_group_name": _GROUP, "instance_type": instance, "hosts": [HOST]}
    return {
        "current_host": HOST,
        "current_instance_type": instance,
        "current_group_name": _GROUP,
        "hosts": [HOST],
        "instance_groups": [group],
        "network_interface_name": "eth0",
    }
