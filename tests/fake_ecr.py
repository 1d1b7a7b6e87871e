"""ECR's control plane in memory: its requests and answers are held against botocore's own model.

moto lacks lifecycle previews and scans that are under way; this one has what a plan, a push and a
scan ask for. It speaks to no network.

Source: botocore's model ``ecr/2015-09-21`` and ECR's API reference.
"""

from __future__ import annotations

import base64
import threading
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import boto3
from botocore import xform_name
from botocore.validate import validate_parameters

ACCOUNT = "123456789012"


class FakeEcr:
    """All regions; ``calls`` are the operations in their order, with region and parameters."""

    def __init__(self) -> None:
        self.repositories: dict[tuple[str, str], dict[str, Any]] = {}
        self.policies: dict[tuple[str, str], str] = {}
        self.lifecycles: dict[tuple[str, str], str] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.expiring: list[dict[str, Any]] = []
        self.previews = ["IN_PROGRESS", "COMPLETE"]
        self.scans: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self._asked = threading.local()
        self._lock = threading.Lock()
        self._making = threading.Lock()
        self._clients: dict[str, Any] = {}

    def connect(self, _access: object, region: str) -> Any:
        """Return boto3's own client; what it would send over the network comes here."""
        with self._making:
            if region not in self._clients:
                self._clients[region] = self._client(region)
            return self._clients[region]

    def _client(self, region: str) -> Any:
        session = boto3.session.Session("key", "secret", region_name=region)
        client = session.client("ecr")
        client.meta.events.register("before-parameter-build.ecr.*", self._remember)
        client.meta.events.register(
            "before-call.ecr.*", lambda model, **_: self._answer(region, model)
        )
        return client

    @property
    def writes(self) -> list[str]:
        """The operations that change something."""
        reading = ("describe", "get", "list", "start_lifecycle")
        return [name for _, name, _ in self.calls if not name.startswith(reading)]

    def _remember(self, params: dict[str, Any], **_: object) -> None:
        self._asked.params = dict(params)

    def _answer(self, region: str, model: Any) -> tuple[Any, dict[str, Any]]:
        name, params = xform_name(model.name), self._asked.params
        with self._lock:
            self.calls.append((region, name, params))
            try:
                answer = getattr(self, name)(region, params)
            except _RefusedError as error:
                told = {"Error": {"Code": error.code, "Message": "on purpose"}}
                return SimpleNamespace(status_code=400), told
        validate_parameters(answer, model.output_shape)
        answer["ResponseMetadata"] = {"HTTPStatusCode": 200}
        return SimpleNamespace(status_code=200), answer

    def _found(self, region: str, params: dict[str, Any]) -> tuple[str, str]:
        place = (region, params["repositoryName"])
        if place not in self.repositories:
            raise _RepositoryNotFoundError
        return place

    def get_authorization_token(self, region: str, _: dict[str, Any]) -> dict[str, Any]:
        token = base64.b64encode(b"AWS:t0ken").decode()
        suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        host = f"https://{ACCOUNT}.dkr.ecr.{region}.{suffix}"
        return {"authorizationData": [{"authorizationToken": token, "proxyEndpoint": host}]}

    def describe_repositories(self, region: str, params: dict[str, Any]) -> dict[str, Any]:
        (name,) = params["repositoryNames"]
        place = self._found(region, {"repositoryName": name})
        return {"repositories": [self.repositories[place]]}

    def create_repository(self, region: str, params: dict[str, Any]) -> dict[str, Any]:
        place = (region, params["repositoryName"])
        if place in self.repositories:
            raise _RepositoryAlreadyExistsError
        made = {key: value for key, value in params.items() if key not in {"tags", "registryId"}}
        made["registryId"] = params.get("registryId", ACCOUNT)
        partition = "aws-cn" if region.startswith("cn-") else "aws"
        arn = f"arn:{partition}:ecr:{region}:{made['registryId']}:repository/{place[1]}"
        made["repositoryArn"] = arn
        made.setdefault("encryptionConfiguration", {"encryptionType": "AES256"})
        self.repositories[place] = made
        self.tags[arn] = {pair["Key"]: pair["Value"] for pair in params.get("tags", ())}
        return {"repository": made}

    def put_image_tag_mutability(self, region: str, params: dict[str, Any]) -> dict[str, Any]:
        found = self.repositories[self._found(region, params)]
        for key in ("imageTagMutability", "imageTagMutabilityExclusionFilters"):
            found.pop(key, None)
            if key in params:
                found[key] = params[key]
        return {"repositoryName": params["repositoryName"]}

    def put_image_scanning_configuration(
        self, region: str, params: dict[str, Any]
    ) -> dict[str, Any]:
        found = self.repositories[self._found(region, params)]
        found["imageScanningConfiguration"] = params["imageScanningConfiguration"]
        return {}

    def list_tags_for_resource(self, _: str, params: dict[str, Any]) -> dict[str, Any]:
        tags = self.tags[params["resourceArn"]]
        return {"tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def tag_resource(self, _: str, params: dict[str, Any]) -> dict[str, Any]:
        self.tags[params["resourceArn"]].update({p["Key"]: p["Value"] for p in params["tags"]})
        return {}

    def get_repository_policy(self, region: str, params: dict[str, Any]) -> dict[str, Any]:
        place = self._found(region, params)
        if place not in self.policies:
            raise _RepositoryPolicyNotFoundError
        return {"policyText": self.policies[place]}

    def set_repository_policy(self, region: str, params: dict[str, Any]) -> dict[str, Any]:
        self.policies[self._found(region, params)] = params["policyText"]
        return {}

    def delete_repository_policy(self, region: str, params: dict[str, Any]) -> dict[str, Any]:
        del self.policies[self._found(region, params)]
        return {}

    def get_lifecycle_policy(self, region: str, params: dict[str, Any]) -> dict[str, Any]:
        place = self._found(region, params)
        if place not in self.lifecycles:
            raise _LifecyclePolicyNotFoundError
        return {"lifecyclePolicyText": self.lifecycles[place]}

    def put_lifecycle_policy(self, region: str, params: dict[str, Any]) -> dict[str, Any]:
        self.lifecycles[self._found(region, params)] = params["lifecyclePolicyText"]
        return {}

    def start_lifecycle_policy_preview(self, region: str, params: dict[str, Any]) -> dict[str, Any]:
        self._found(region, params)
        assert params["lifecyclePolicyText"]
        return {"status": "IN_PROGRESS"}

    def get_lifecycle_policy_preview(self, region: str, params: dict[str, Any]) -> dict[str, Any]:
        self._found(region, params)
        status = self.previews.pop(0) if len(self.previews) > 1 else self.previews[0]
        if status != "COMPLETE":
            return {"status": status}
        half = len(self.expiring) // 2
        if "nextToken" in params:
            return {"status": status, "previewResults": self.expiring[half:]}
        return {"status": status, "previewResults": self.expiring[:half], "nextToken": "more"}

    def describe_image_scan_findings(self, _: str, params: dict[str, Any]) -> dict[str, Any]:
        waiting = self.scans[params["imageId"]["imageDigest"]]
        if not waiting:
            raise _ScanNotFoundError
        return dict(waiting.pop(0) if len(waiting) > 1 else waiting[0])

    def start_image_scan(self, _: str, params: dict[str, Any]) -> dict[str, Any]:
        done = {"imageScanStatus": {"status": "COMPLETE"}}
        self.scans[params["imageId"]["imageDigest"]].append(done)
        return {"imageScanStatus": {"status": "IN_PROGRESS"}}


class _RefusedError(Exception):
    """Answered by the code that the class is named after."""

    @property
    def code(self) -> str:
        return f"{type(self).__name__.strip('_').removesuffix('Error')}Exception"


class _LifecyclePolicyNotFoundError(_RefusedError):
    pass


class _RepositoryAlreadyExistsError(_RefusedError):
    pass


class _RepositoryNotFoundError(_RefusedError):
    pass


class _RepositoryPolicyNotFoundError(_RefusedError):
    pass


class _ScanNotFoundError(_RefusedError):
    pass
