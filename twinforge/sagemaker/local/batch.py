"""What a batch transform is asked for, and what the service would refuse of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.sagemaker.local.endpoint import check_serving
from twinforge.sagemaker.local.invoke import check_headers
from twinforge.sagemaker.local.jsonpath import parse_path
from twinforge.sagemaker.local.processing import Processing
from twinforge.sagemaker.local.records import STRATEGIES
from twinforge.sagemaker.model import check_requests
from twinforge.sagemaker.request import Request

if TYPE_CHECKING:
    from twinforge.sagemaker.local.endpoint import Serving

__all__ = ["Transform", "check_transform", "transform_env"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """What a transform does.

    Attributes:
        source: A folder, a file or an S3 prefix.
        output: A folder or an S3 prefix.
        content_type: What the files are.
        accept: What the answers shall be, or empty.
        split: One of ``framing.SPLITS``.
        assembly: ``None`` or ``Line``.
        strategy: ``MultiRecord``, ``SingleRecord``, or empty for the container's.
        max_payload_mb: The biggest payload, None for the container's.
        at_once: How many requests at a time, 0 for the container's.
        timeout_s: How long an answer may take.
        retries: How often a request that failed is sent again.
        input_filter: A JSONPath: what of a record is sent.
        join: ``Input`` to write an answer behind its record, else ``None``.
        output_filter: A JSONPath: what of that is written.
    """

    source: str
    output: str
    content_type: str
    accept: str = ""
    split: str = "None"
    assembly: str = "None"
    strategy: str = ""
    max_payload_mb: int | None = None
    at_once: int = 0
    timeout_s: float = 600.0
    retries: int = 3
    input_filter: str = "$"
    join: str = "None"
    output_filter: str = "$"

    def processing(self) -> Processing:
        """Return the filters and the join.

        Raises:
            UsageError: The service would refuse them.
        """
        found = Processing(parse_path(self.input_filter), self.join, parse_path(self.output_filter))
        found.check(
            content_type=self.content_type,
            accept=self.accept,
            split=self.split,
            assembly=self.assembly,
        )
        return found


def check_transform(served: Serving, asked: Transform) -> None:
    """Refuse what CreateModel or CreateTransformJob would refuse.

    Raises:
        UsageError: A filter or a content type is none that the service takes, or a filter does not
            go with the rest.
        TwinforgeError: Names or values are not those that the service takes; all are named.
    """
    check_serving(served)
    asked.processing()
    check_headers({"Content-Type": asked.content_type, "Accept": asked.accept})
    ours = transform_env(asked).keys()
    parameters: dict[str, object] = {
        "TransformJobName": served.name,
        "ModelName": served.name,
        "Environment": {key: value for key, value in served.env.items() if key not in ours},
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://local"}},
            "ContentType": asked.content_type,
            "SplitType": asked.split,
        },
        "TransformOutput": {
            "S3OutputPath": "s3://local",
            "Accept": asked.accept,
            "AssembleWith": asked.assembly,
        },
        "TransformResources": {"InstanceType": served.instance, "InstanceCount": 1},
        "DataProcessing": {
            "InputFilter": asked.input_filter,
            "OutputFilter": asked.output_filter,
            "JoinSource": asked.join,
        },
    }
    check_requests((Request("CreateTransformJob", parameters),))


def transform_env(asked: Transform) -> dict[str, str]:
    """Return the variables of a transform's container: what was asked for, and nothing else.

    Source: SageMaker developer guide, "Use your own inference code with batch transform".
    """
    env = {"SAGEMAKER_BATCH": "true"}
    if asked.max_payload_mb is not None:
        env["SAGEMAKER_MAX_PAYLOAD_IN_MB"] = str(asked.max_payload_mb)
    if asked.strategy:
        env["SAGEMAKER_BATCH_STRATEGY"] = STRATEGIES[asked.strategy]
    if asked.at_once:
        env["SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"] = str(asked.at_once)
    return env
