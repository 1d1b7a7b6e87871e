"""Policies that allow what a verb asks of AWS, and no more. Pure.

What each verb calls stands here once; tests hold it to what the verbs really send.

Source: IAM's service authorization reference for SageMaker, ECR, S3 and CloudWatch Logs, on which
actions take which resources.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from twinforge.errors import UsageError
from twinforge.sagemaker.naming import letters

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["KINDS", "Kind", "Scope", "plan_policy", "plan_trust"]

Kind = Literal["train", "deploy", "operate", "predict", "role"]

KINDS: tuple[str, ...] = get_args(Kind)

_PULL = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
)
_READ_LOGS = ("logs:DescribeLogStreams", "logs:GetLogEvents")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a policy is about.

    Attributes:
        partition: ``aws``, ``aws-cn`` or ``aws-us-gov``.
        regions: The AWS regions, at least one.
        account: Twelve digits.
        recipe: The recipe's name.
        repository: The ECR repository's name, without fields.
        endpoint: The endpoint's name, or empty.
        buckets: The S3 buckets of data and models.
        role: The ARN of the role that SageMaker assumes, or empty.
    """

    partition: str
    regions: tuple[str, ...]
    account: str
    recipe: str
    repository: str
    endpoint: str = ""
    buckets: tuple[str, ...] = ()
    role: str = ""

    def arns(self, service: str, *resources: str) -> list[str]:
        """Return the ARNs of resources of a service in every region."""
        return [
            f"arn:{self.partition}:{service}:{region}:{self.account}:{resource}"
            for region in self.regions
            for resource in resources
        ]


def plan_policy(kind: Kind, scope: Scope) -> dict[str, object]:
    """Return the policy for one kind of work.

    Args:
        kind: ``train``, ``deploy``, ``operate`` (history, rollback, delete, gc),
            ``predict``, or ``role`` for the role that SageMaker assumes.
        scope: What it is about.

    Raises:
        UsageError: The scope lacks what the kind is about.
    """
    if kind in {"deploy", "operate", "predict"} and not scope.endpoint:
        message = f"a policy for '{kind}' is about an endpoint"
        raise UsageError(message, hint="give --endpoint NAME")
    if kind in {"train", "deploy"} and not scope.role:
        message = f"who may '{kind}' hands a role to SageMaker"
        raise UsageError(message, hint="give --role ARN")
    if kind in {"train", "role"} and not scope.buckets:
        message = f"a policy for '{kind}' is about buckets"
        raise UsageError(message, hint="give --bucket NAME")
    statements = {
        "train": _train,
        "deploy": _deploy,
        "operate": _operate,
        "predict": _predict,
        "role": _role,
    }[kind](scope)
    return {"Version": "2012-10-17", "Statement": statements}


def plan_trust() -> dict[str, object]:
    """Return the trust policy that lets SageMaker assume a role."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sagemaker.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }


def _train(scope: Scope) -> list[dict[str, object]]:
    jobs = scope.arns("sagemaker", f"training-job/{letters(scope.recipe).lower()}-*")
    group = "log-group:/aws/sagemaker/TrainingJobs"
    return [
        _allow(
            "Train",
            [
                "sagemaker:AddTags",
                "sagemaker:CreateTrainingJob",
                "sagemaker:DescribeTrainingJob",
                "sagemaker:StopTrainingJob",
            ],
            jobs,
        ),
        _pass_role(scope),
        _allow("Logs", _READ_LOGS, scope.arns("logs", group, f"{group}:*")),
        _allow("List", ["s3:ListBucket"], _buckets(scope, "")),
        _allow(
            "Data",
            ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
            _buckets(scope, "/*"),
        ),
    ]


def _deploy(scope: Scope) -> list[dict[str, object]]:
    endpoint, recipe = letters(scope.endpoint).lower(), letters(scope.recipe).lower()
    made = scope.arns(
        "sagemaker", f"endpoint/{endpoint}", f"endpoint-config/{endpoint}-*", f"model/{recipe}-*"
    )
    group = f"log-group:/aws/sagemaker/Endpoints/{scope.endpoint}"
    return [
        _allow(
            "Deploy",
            [
                "sagemaker:AddTags",
                "sagemaker:CreateEndpoint",
                "sagemaker:CreateEndpointConfig",
                "sagemaker:CreateModel",
                "sagemaker:DescribeEndpoint",
                "sagemaker:DescribeEndpointConfig",
                "sagemaker:DescribeModel",
                "sagemaker:UpdateEndpoint",
            ],
            made,
        ),
        _allow(
            "FindModel",
            ["sagemaker:DescribeTrainingJob"],
            scope.arns("sagemaker", f"training-job/{recipe}-*"),
        ),
        _pass_role(scope),
        _allow("Logs", _READ_LOGS, scope.arns("logs", group, f"{group}:*")),
    ]


def _operate(scope: Scope) -> list[dict[str, object]]:
    endpoint, recipe = letters(scope.endpoint).lower(), letters(scope.recipe).lower()
    made = scope.arns(
        "sagemaker", f"endpoint/{endpoint}", f"endpoint-config/{endpoint}-*", f"model/{recipe}-*"
    )
    everything = scope.arns("sagemaker", "endpoint/*", "endpoint-config/*", "model/*")
    group = f"log-group:/aws/sagemaker/Endpoints/{scope.endpoint}"
    return [
        _allow(
            "List",
            ["sagemaker:ListEndpointConfigs", "sagemaker:ListEndpoints", "sagemaker:ListModels"],
            ["*"],  # lists take no resource
        ),
        _allow(
            "Look",  # nothing is deleted before all that may use it was seen
            [
                "sagemaker:DescribeEndpoint",
                "sagemaker:DescribeEndpointConfig",
                "sagemaker:DescribeModel",
                "sagemaker:ListTags",
            ],
            everything,
        ),
        _allow(
            "Operate",
            [
                "sagemaker:AddTags",
                "sagemaker:DeleteEndpoint",
                "sagemaker:DeleteEndpointConfig",
                "sagemaker:DeleteModel",
                "sagemaker:UpdateEndpoint",
            ],
            made,
        ),
        _allow("Logs", _READ_LOGS, scope.arns("logs", group, f"{group}:*")),
    ]


def _predict(scope: Scope) -> list[dict[str, object]]:
    endpoint = f"endpoint/{letters(scope.endpoint).lower()}"
    asking = ["sagemaker:InvokeEndpoint", "sagemaker:InvokeEndpointAsync"]
    statements = [_allow("Predict", asking, scope.arns("sagemaker", endpoint))]
    if scope.buckets:  # requests to an asynchronous endpoint and their answers
        statements.append(_allow("List", ["s3:ListBucket"], _buckets(scope, "")))
        objects = ["s3:GetObject", "s3:PutObject"]
        statements.append(_allow("Data", objects, _buckets(scope, "/*")))
    return statements


def _role(scope: Scope) -> list[dict[str, object]]:
    """Source: SageMaker developer guide, "SageMaker roles", on training jobs and models."""
    group = "log-group:/aws/sagemaker/*"
    return [
        _allow("Login", ["ecr:GetAuthorizationToken"], ["*"]),
        _allow("Pull", _PULL, scope.arns("ecr", f"repository/{scope.repository}")),
        _allow("List", ["s3:ListBucket"], _buckets(scope, "")),
        _allow("Data", ["s3:GetObject", "s3:PutObject"], _buckets(scope, "/*")),
        _allow(
            "Logs",
            [
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:DescribeLogStreams",
                "logs:PutLogEvents",
            ],
            scope.arns("logs", group),
        ),
        {
            **_allow("Metrics", ["cloudwatch:PutMetricData"], ["*"]),  # it takes no resource
            "Condition": {"StringLike": {"cloudwatch:namespace": "/aws/sagemaker/*"}},
        },
    ]


def _pass_role(scope: Scope) -> dict[str, object]:
    return {
        **_allow("HandRole", ["iam:PassRole"], [scope.role]),
        "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    }


def _buckets(scope: Scope, end: str) -> list[str]:
    return [f"arn:{scope.partition}:s3:::{bucket}{end}" for bucket in scope.buckets]


def _allow(name: str, actions: Sequence[str], resources: Sequence[str]) -> dict[str, object]:
    return {
        "Sid": name,
        "Effect": "Allow",
        "Action": sorted(actions),
        "Resource": list(resources),
    }
