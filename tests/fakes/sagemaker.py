"""SageMaker's endpoints and training jobs, as far as its documentation and users' reports say.

Time is told in looks: every ``Describe...`` of something that moves takes it one step further, so
that no test waits. What each rule rests on stands beside it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit
from uuid import uuid4

from tests.fakes.wire import Invoked, RefusedError, Taken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ACCOUNT = "123456789012"
REGION = "eu-west-1"
START = datetime(2026, 1, 1, tzinfo=UTC)
WALK = ("Starting", "Downloading", "Training", "Uploading")
PING = (
    "The primary container for production variant {} did not pass the ping health check. "
    "Please check CloudWatch logs for this endpoint."
)
"""Source: aws/sagemaker-python-sdk #440 and many others."""


@dataclass(frozen=True, slots=True)
class Served:
    """A container that serves: where it answers, or why it does not and what it printed."""

    url: str
    log: str
    ok: bool


@dataclass(frozen=True, slots=True)
class Learned:
    """A container that has trained: its exit status, its failure file and what it printed."""

    status: int
    failure: str
    log: str


class Runner(Protocol):
    """Runs images for the fake."""

    def serve(self, image: str, model_data: str, limit_s: int) -> Served:
        """Start a container and wait for its ``/ping``."""
        ...

    def train(self, job: Mapping[str, Any], model: str) -> Learned:
        """Run a training container and put what it leaves at an S3 address."""
        ...

    def invoke(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str, bytes]:
        """Ask a container; return status, content type and body."""
        ...


class Objects(Protocol):
    """S3, as far as asynchronous endpoints need it."""

    def get_object(self, *, Bucket: str, Key: str) -> Mapping[str, Any]:  # noqa: N803 - boto3's
        """Read an object."""
        ...

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> object:  # noqa: N803
        """Write an object."""
        ...


class Pretence:
    """A runner without containers: images whose name holds a word of ``broken`` do not start."""

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.model: Callable[[str], None] = lambda _: None

    def serve(self, image: str, model_data: str, limit_s: int) -> Served:
        del model_data, limit_s
        is_broken = any(word in image for word in self.broken)
        return Served(f"pretence:{image}", "libcuda.so.1: no such file\n", ok=not is_broken)

    def train(self, job: Mapping[str, Any], model: str) -> Learned:
        if any(word in job["AlgorithmSpecification"]["TrainingImage"] for word in self.broken):
            return Learned(1, "no such column", "epoch 1\nTraceback\n")
        self.model(model)
        return Learned(0, "", "epoch 1\nepoch 2\n")

    def invoke(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str, bytes]:
        if body == b"break":
            return 500, "text/plain", b"it broke"
        return 200, headers.get("Accept", "text/plain"), url.encode() + b" " + body


@dataclass
class Fault:
    """A refusal of the next calls of an operation, whatever they ask for."""

    operation: str
    error: RefusedError
    times: int


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
class FakeSageMaker:
    """The state of an account.

    Attributes:
        runner: Runs the images.
        objects: S3, for asynchronous endpoints.
        lag: How often something that was just made is not seen by what needs it.
        role_lag: The same of the role.
        steps: How many looks a movement takes.
        rollback_fails: Whether the way back fails too.
        no_capacity: Instance types that there are none of.
        unknown_images: Images that ECR does not have, by a part of their name.
        calls: Every request that was taken, in order.
        violations: What the documentation forbids and the service does not refuse.
    """

    runner: Runner = field(default_factory=Pretence)
    objects: Objects | None = None
    lag: int = 0
    role_lag: int = 0
    steps: int = 2
    rollback_fails: bool = False
    no_capacity: set[str] = field(default_factory=set)
    unknown_images: set[str] = field(default_factory=set)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    configs: dict[str, dict[str, Any]] = field(default_factory=dict)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    logs: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    now: datetime = START
    _unseen: dict[str, int] = field(default_factory=dict)

    def fail_next(self, operation: str, code: str, said: str = "", *, times: int = 1) -> None:
        """Refuse the next calls of an operation."""
        self.faults.append(Fault(operation, RefusedError(code=code, said=said or code), times))

    def operations(self, *starts: str) -> list[str]:
        """Return the operations that were taken and begin with one of these words."""
        return [name for name, _ in self.calls if name.startswith(starts or ("",))]

    @property
    def writes(self) -> list[str]:
        """Return the operations that were taken and change something."""
        return self.operations("Create", "Update", "Delete", "Stop", "Add")

    def handle(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Answer a request of the control plane or of the logs."""
        self.now += timedelta(seconds=1)
        for fault in self.faults:
            if fault.operation == operation and fault.times:
                fault.times -= 1
                raise fault.error
        answer: dict[str, Any] = getattr(self, f"_{operation}")(parameters)
        self.calls.append((operation, parameters))
        return answer

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

    # ---- training

    def _CreateTrainingJob(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        name = asked["TrainingJobName"]
        self._see_role(asked["RoleArn"])
        if name in self.jobs:
            raise RefusedError(
                code="ResourceInUse", said="Job name must be unique within an account."
            )
        self.jobs[name] = {
            "asked": asked,
            "created": self.now,
            "walk": list(WALK),
            "phase": "Starting",
            "status": "InProgress",
        }
        self._tag(arn("training-job", name), asked)
        return {"TrainingJobArn": arn("training-job", name)}

    def _DescribeTrainingJob(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        name = asked["TrainingJobName"]
        job = self._job(name)
        request = job["asked"]
        output = request["OutputDataConfig"]["S3OutputPath"].rstrip("/")
        model = f"{output}/{name}/output/model.tar.gz"  # facts, A2
        if job["walk"]:
            job["phase"] = job["walk"].pop(0)
            if job["phase"] == "Training":
                self._train(name, job, model)
        elif job["status"] == "Stopping":
            job["status"] = job["phase"] = "Stopped"
        elif job["status"] == "InProgress":
            job["status"] = job["phase"] = "Completed"
        answer = {
            "TrainingJobName": name,
            "TrainingJobArn": arn("training-job", name),
            "TrainingJobStatus": job["status"],
            "SecondaryStatus": job["phase"],
            "CreationTime": job["created"],
            # said from the start, whether or not there will be a model: the harder case
            "ModelArtifacts": {"S3ModelArtifacts": model},
            **{key: value for key, value in request.items() if key != "Tags"},
        }
        if "reason" in job:
            answer["FailureReason"] = job["reason"][:1024]
        return answer

    def _StopTrainingJob(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        job = self._job(asked["TrainingJobName"])
        if job["status"] != "InProgress":
            refuse(
                f"The request was rejected because the training job is in status {job['status']}."
            )
        job["status"] = job["phase"] = "Stopping"
        job["walk"] = []
        return {}

    def _train(self, name: str, job: dict[str, Any], model: str) -> None:
        learned = self.runner.train(job["asked"], model)
        self.log("/aws/sagemaker/TrainingJobs", f"{name}/algo-1-1767225600", learned.log)
        if learned.status:
            # facts, A6: the failure file's text after AlgorithmError
            job["reason"] = f"AlgorithmError: {learned.failure}, exit code: {learned.status}"
            job["status"] = job["phase"] = "Failed"
            job["walk"] = []

    def _job(self, name: str) -> dict[str, Any]:
        if name not in self.jobs:
            refuse("Requested resource not found.")
        return self.jobs[name]

    # ---- tags and logs

    def _AddTags(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self._tag(asked["ResourceArn"], asked)
        return {"Tags": self._ListTags(asked)["Tags"]}

    def _ListTags(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        found = self.tags.get(asked["ResourceArn"], {})
        return {"Tags": [{"Key": key, "Value": value} for key, value in found.items()]}

    def _DescribeLogStreams(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        streams = self._group(asked["logGroupName"])
        if asked.get("orderBy") == "LastEventTime" and "logStreamNamePrefix" in asked:
            # botocore, DescribeLogStreams: can't be combined
            raise RefusedError(
                code="InvalidParameterException", said="Cannot order by LastEventTime"
            )
        names = [name for name in streams if name.startswith(asked.get("logStreamNamePrefix", ""))]
        if asked.get("descending"):
            names.reverse()
        return {"logStreams": [{"logStreamName": n} for n in names[: asked.get("limit", 50)]]}

    def _GetLogEvents(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        lines = self._group(asked["logGroupName"])[asked["logStreamName"]]
        begin = int(asked.get("nextToken", "f/0").removeprefix("f/"))
        limit = asked.get("limit", 10_000)
        shown = lines[begin : begin + limit] if asked.get("startFromHead") else lines[-limit:]
        end = begin + len(shown) if asked.get("startFromHead") else len(lines)
        events = [{"timestamp": 1, "ingestionTime": 1, "message": line} for line in shown]
        return {"events": events, "nextForwardToken": f"f/{end}", "nextBackwardToken": "b/0"}

    def log(self, group: str, stream: str, text: str) -> None:
        """Let a container print."""
        self.logs.setdefault(group, {}).setdefault(stream, []).extend(text.splitlines())

    def _group(self, name: str) -> dict[str, list[str]]:
        if name not in self.logs:
            said = "The specified log group does not exist."
            raise RefusedError(code="ResourceNotFoundException", said=said)
        return self.logs[name]

    # ---- what is shared

    def _endpoint(self, name: str) -> Endpoint:
        if name not in self.endpoints:
            refuse(f'Could not find endpoint "{arn("endpoint", name)}".')
        return self.endpoints[name]

    def _keep(
        self, kind: str, name: str, kept: dict[str, dict[str, Any]], asked: dict[str, Any]
    ) -> str:
        kept[name] = {"asked": asked, "created": self.now}
        self._unseen[arn(kind, name)] = self.lag
        self._tag(arn(kind, name), asked)
        return arn(kind, name)

    def _see(self, kind: str, name: str, kept: Mapping[str, Any]) -> None:
        """Let a dependent find something, which for a while it does not.

        Source: botocore, CreateEndpoint, on eventually consistent reads.
        """
        left = self._unseen.get(arn(kind, name), 0)
        if name in kept and not left:
            return
        self._unseen[arn(kind, name)] = max(0, left - 1)
        words = "endpoint configuration" if kind == "endpoint-config" else kind
        refuse(f'Could not find {words} "{arn(kind, name)}".')

    def _see_role(self, role: str) -> None:
        if self.role_lag:
            self.role_lag -= 1
            refuse(
                f"Could not assume role {role}. Please ensure that the role exists and allows "
                "principal 'sagemaker.amazonaws.com' to assume the role."
            )

    def _described(
        self, kind: str, name: str, kept: Mapping[str, dict[str, Any]], key: str
    ) -> dict[str, Any]:
        if name not in kept:
            refuse(f'Could not find {kind} "{arn(kind, name)}".')
        asked = {k: value for k, value in kept[name]["asked"].items() if k != "Tags"}
        return {**asked, key: arn(kind, name), "CreationTime": kept[name]["created"]}

    def _drop(self, kind: str, name: str, kept: dict[str, dict[str, Any]]) -> None:
        if name not in kept:
            refuse(f'Could not find {kind} "{arn(kind, name)}".')
        del kept[name]

    def _listed(
        self, kind: str, kept: Mapping[str, dict[str, Any]], word: str, asked: dict[str, Any]
    ) -> dict[str, Any]:
        """Two a page, so that whoever reads the first page alone is found out."""
        names = [name for name in kept if asked.get("NameContains", "") in name]
        names.sort(
            key=lambda name: kept[name]["created"], reverse=asked.get("SortOrder") != "Ascending"
        )
        begin = int(asked.get("NextToken", "0"))
        answer: dict[str, Any] = {
            f"{word}s": [
                {
                    f"{word}Name": name,
                    f"{word}Arn": arn(kind, name),
                    "CreationTime": kept[name]["created"],
                }
                for name in names[begin : begin + 2]
            ]
        }
        if begin + 2 < len(names):
            answer["NextToken"] = str(begin + 2)
        return answer

    def _tag(self, resource: str, asked: Mapping[str, Any]) -> None:
        pairs = {tag["Key"]: tag["Value"] for tag in asked.get("Tags", ())}
        self.tags.setdefault(resource, {}).update(pairs)


def arn(kind: str, name: str) -> str:
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{name.lower()}"


def models_of(variant: Mapping[str, Any]) -> list[str]:
    pools = variant.get("InstancePools", ())
    return [variant["ModelName"], *(pool["ModelNameOverride"] for pool in pools)]


def refuse(said: str) -> None:
    """Say no as SageMaker does to nearly everything."""
    raise RefusedError(code="ValidationException", said=said)
