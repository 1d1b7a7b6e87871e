"""Models, endpoint configs, endpoints and their invocations."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

from tests.fakes.account import ACCOUNT, REGION, Account, arn, refuse
from tests.fakes.runner import Pretence
from tests.fakes.wire import Invoked, RefusedError, Taken

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tests.fakes.runner import Objects, Runner, Served

PING = (
    "The primary container for production variant {} did not pass the ping health check. "
    "Please check CloudWatch logs for this endpoint."
)
"""Source: aws/sagemaker-python-sdk #440 and many others."""


@dataclass
class Endpoint:
    """An endpoint on its way: ``steps`` looks are left until it comes to rest.

    ``scaled`` is what autoscaling has made of the instances of a variant.
    """

    created: datetime
    config: str
    status: str = "Creating"
    pending: str = ""
    steps: int = 0
    reason: str = ""
    served: dict[str, list[tuple[str, str, Served]]] = field(default_factory=dict)
    deployment: dict[str, Any] = field(default_factory=dict)
    scaled: dict[str, int] = field(default_factory=dict)
    keeps_counts: bool = False


@dataclass
class Hosting(Account):
    """An account that hosts.

    Attributes:
        runner: Runs the images.
        objects: S3, for asynchronous endpoints.
        steps: How many looks a movement takes.
        rollback_fails: Whether the way back fails too.
        no_capacity: Instance types that there are none of.
        unknown_images: Images that ECR does not have, by a part of their name.
    """

    runner: Runner = field(default_factory=Pretence)
    objects: Objects | None = None
    steps: int = 2
    rollback_fails: bool = False
    no_capacity: set[str] = field(default_factory=set)
    unknown_images: set[str] = field(default_factory=set)
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    configs: dict[str, dict[str, Any]] = field(default_factory=dict)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)

    # ---- models and configs

    def _CreateModel(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - AWS's name
        name, image = asked["ModelName"], asked["PrimaryContainer"]["Image"]
        self._see_role(asked["ExecutionRoleArn"])
        if name in self.models:
            # Source: facts, D4; the words are those of endpoint configs.
            refuse(f'Cannot create already existing model "{arn("model", name)}".')
        if any(part in image for part in self.unknown_images):
            refuse(f"Requested image {image} not found.")  # facts, D4
        if urlsplit(f"//{image}").hostname != f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com":
            # botocore, ContainerDefinition.Image: same region as the endpoint
            refuse(f'ECR image "{image}" is invalid.')
        return {"ModelArn": self._keep("model", name, self.models, asked)}

    def _DescribeModel(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self._described("model", asked["ModelName"], self.models, "ModelArn")

    def _DeleteModel(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self._drop("model", asked["ModelName"], self.models)
        return {}

    def _ListModels(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self._listed("model", self.models, "Model", asked)

    def _CreateEndpointConfig(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        name = asked["EndpointConfigName"]
        if name in self.configs:
            found = arn("endpoint-config", name)
            refuse(f'Cannot create already existing endpoint configuration "{found}".')
        for variant in asked["ProductionVariants"]:
            if "InstanceType" in variant and "InstancePools" in variant:
                refuse("InstancePools and InstanceType exclude each other.")  # facts, D2 [3P]
            for model in models_of(variant):
                self._see("model", model, self.models)
        return {"EndpointConfigArn": self._keep("endpoint-config", name, self.configs, asked)}

    def _DescribeEndpointConfig(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        name = asked["EndpointConfigName"]
        return self._described("endpoint-config", name, self.configs, "EndpointConfigArn")

    def _DeleteEndpointConfig(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        name = asked["EndpointConfigName"]
        # API reference, DeleteEndpointConfig: must not be deleted while in use; nothing refuses it
        used = [e for e, found in self.endpoints.items() if name in {found.config, found.pending}]
        self.violations += [f"{name} was deleted while '{one}' uses it" for one in used]
        self._drop("endpoint-config", name, self.configs)
        return {}

    def _ListEndpointConfigs(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self._listed("endpoint-config", self.configs, "EndpointConfig", asked)

    # ---- endpoints

    def _CreateEndpoint(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        name, config = asked["EndpointName"], asked["EndpointConfigName"]
        if name in self.endpoints:
            refuse(f'Cannot create already existing endpoint "{arn("endpoint", name)}".')
        self._see("endpoint-config", config, self.configs)
        self.endpoints[name] = Endpoint(self.now, config, pending=config, steps=self.steps)
        self._tag(arn("endpoint", name), asked)
        return {"EndpointArn": arn("endpoint", name)}

    def _UpdateEndpoint(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        name, config = asked["EndpointName"], asked["EndpointConfigName"]
        endpoint = self._endpoint(name)
        if endpoint.status not in {"InService", "UpdateRollbackFailed"}:
            # facts, D4 and D3: in progress, and only DeleteEndpoint after Failed
            refuse(f'Cannot update in-progress endpoint "{arn("endpoint", name)}".')
        self._see("endpoint-config", config, self.configs)
        endpoint.status, endpoint.pending, endpoint.steps = "Updating", config, self.steps
        endpoint.deployment, endpoint.reason = asked.get("DeploymentConfig", {}), ""
        endpoint.keeps_counts = asked.get("RetainAllVariantProperties", False)
        return {"EndpointArn": arn("endpoint", name)}

    def _DeleteEndpoint(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        endpoint = self._endpoint(asked["EndpointName"])
        endpoint.status, endpoint.steps = "Deleting", self.steps
        return {}

    def _ListEndpoints(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        del asked
        return {
            "Endpoints": [
                {
                    "EndpointName": name,
                    "EndpointArn": arn("endpoint", name),
                    "CreationTime": found.created,
                    "LastModifiedTime": found.created,
                    "EndpointStatus": found.status,
                }
                for name, found in self.endpoints.items()
            ]
        }

    def _DescribeEndpoint(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        name = asked["EndpointName"]
        endpoint = self._endpoint(name)
        if endpoint.steps:
            endpoint.steps -= 1
        elif endpoint.status == "Deleting":
            del self.endpoints[name]
            self._endpoint(name)
        elif endpoint.status in {"Creating", "Updating"}:
            self._settle(name, endpoint)
        answer: dict[str, Any] = {
            "EndpointName": name,
            "EndpointArn": arn("endpoint", name),
            "EndpointConfigName": endpoint.config,
            "EndpointStatus": endpoint.status,
            "CreationTime": endpoint.created,
            "LastModifiedTime": self.now,
        }
        if endpoint.reason:
            answer["FailureReason"] = endpoint.reason
        if endpoint.pending:
            answer["PendingDeploymentSummary"] = {"EndpointConfigName": endpoint.pending}
        if endpoint.deployment:
            answer["LastDeploymentConfig"] = endpoint.deployment
        if endpoint.served:
            variants = self.configs[endpoint.config]["asked"]["ProductionVariants"]
            answer["ProductionVariants"] = [self._summary(v, endpoint) for v in variants]
        return answer

    def _settle(self, name: str, endpoint: Endpoint) -> None:
        """Start the containers; what does not start leaves an endpoint as it was.

        Source: facts, D3: a rolled-back update ends InService on the old config.
        """
        served: dict[str, list[tuple[str, str, Served]]] = {}
        for variant in self.configs[endpoint.pending]["asked"]["ProductionVariants"]:
            found = self._start(name, variant)
            if not found or not all(one.ok for _, _, one in found):
                endpoint.reason = PING.format(variant["VariantName"])
                endpoint.status = "InService" if endpoint.served else "Failed"
                if endpoint.served and self.rollback_fails:
                    endpoint.status = "UpdateRollbackFailed"
                endpoint.pending = ""
                return
            served[variant["VariantName"]] = found
        endpoint.status, endpoint.config, endpoint.pending = "InService", endpoint.pending, ""
        endpoint.served = served
        if not endpoint.keeps_counts:  # botocore, UpdateEndpoint, RetainAllVariantProperties
            endpoint.scaled = {}

    def _start(self, endpoint: str, variant: dict[str, Any]) -> list[tuple[str, str, Served]]:
        kinds = [(variant.get("InstanceType", "serverless"), variant["ModelName"])]
        if pools := variant.get("InstancePools"):
            kinds = [
                (pool["InstanceType"], pool.get("ModelNameOverride", variant["ModelName"]))
                for pool in sorted(pools, key=lambda pool: int(pool["Priority"]))
            ]
        for kind, model in kinds:
            if kind in self.no_capacity:
                continue
            container = self.models[model]["asked"]["PrimaryContainer"]
            limit = variant.get("ContainerStartupHealthCheckTimeoutInSeconds", 480)
            served = self.runner.serve(container["Image"], container["ModelDataUrl"], limit)
            stream = f"{variant['VariantName']}/i-{len(self.calls):017x}"
            self.log(f"/aws/sagemaker/Endpoints/{endpoint}", stream, served.log)
            return [(kind, container["Image"], served)]
        return []

    def _summary(self, variant: dict[str, Any], endpoint: Endpoint) -> dict[str, Any]:
        name = variant["VariantName"]
        running = endpoint.served[name]
        summary: dict[str, Any] = {
            "VariantName": name,
            "CurrentWeight": variant.get("InitialVariantWeight", 1.0),
            "DesiredWeight": variant.get("InitialVariantWeight", 1.0),
        }
        if "ServerlessConfig" in variant:
            # whether serverless variants list DeployedImages is not documented: the harder case
            return {**summary, "CurrentServerlessConfig": variant["ServerlessConfig"]}
        count = endpoint.scaled.get(name, variant["InitialInstanceCount"])
        summary |= {
            "CurrentInstanceCount": count,
            "DesiredInstanceCount": count,
            "DeployedImages": [
                {"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": self.now}
                for _, image, _ in running
            ],
        }
        if "InstancePools" in variant:
            summary["InstancePools"] = [
                {"InstanceType": kind, "CurrentInstanceCount": count} for kind, _, _ in running
            ]
        return summary

    def invoke(self, endpoint: str, headers: Mapping[str, str], body: bytes) -> Invoked:
        """Answer an invocation with what the variant's container answers."""
        found = self.endpoints.get(endpoint)
        if found is None or not found.served:
            said = f"Endpoint {endpoint} of account {ACCOUNT} not found."
            raise RefusedError(code="ValidationError", said=said)
        variant = headers.get("X-Amzn-SageMaker-Target-Variant") or next(iter(found.served))
        if variant not in found.served:
            raise RefusedError(code="ValidationError", said=f"Variant {variant} not found.")
        (_, _, served) = found.served[variant][0]
        status, kind, answer = self.runner.invoke(served.url, headers, body)
        if status >= 400:
            # botocore, sagemaker-runtime, ModelError: 424
            group = f"/aws/sagemaker/Endpoints/{endpoint}"
            more = {
                "OriginalStatusCode": status,
                "OriginalMessage": answer.decode(),
                "LogStreamArn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}",
            }
            raise RefusedError(
                code="ModelError", said="Received error from primary", status=424, more=more
            )
        return Invoked(answer, kind, variant)

    def take(self, endpoint: str, headers: Mapping[str, str], source: str) -> Taken:
        """Do an asynchronous invocation at once; its outcome is an object.

        Source: botocore, ``AsyncInferenceOutputConfig``: an object per answer or error.
        """
        found = self.endpoints.get(endpoint)
        config = self.configs[found.config]["asked"] if found else {}
        if "AsyncInferenceConfig" not in config:
            raise RefusedError(
                code="ValidationError", said=f"Endpoint {endpoint} is not asynchronous."
            )
        assert self.objects is not None
        place = config["AsyncInferenceConfig"]["OutputConfig"]
        self.calls.append(("InvokeEndpointAsync", {"InputLocation": source}))
        name = uuid4().hex
        output = f"{place['S3OutputPath'].rstrip('/')}/{name}.out"
        failure = f"{place['S3FailurePath'].rstrip('/')}/{name}-error.out"
        bucket, _, key = source.removeprefix("s3://").partition("/")
        body: bytes = self.objects.get_object(Bucket=bucket, Key=key)["Body"].read()
        try:
            where, content = output, self.invoke(endpoint, headers, body).body
        except RefusedError as error:
            where, content = failure, json.dumps({"message": str(error), **error.more}).encode()
        bucket, _, key = where.removeprefix("s3://").partition("/")
        self.objects.put_object(Bucket=bucket, Key=key, Body=content)
        return Taken(name, output, failure)

    def _endpoint(self, name: str) -> Endpoint:
        if name not in self.endpoints:
            refuse(f'Could not find endpoint "{arn("endpoint", name)}".')
        return self.endpoints[name]


def models_of(variant: Mapping[str, Any]) -> list[str]:
    pools = variant.get("InstancePools", ())
    return [variant["ModelName"], *(pool["ModelNameOverride"] for pool in pools)]
