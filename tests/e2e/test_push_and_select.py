"""What was smoked, in a real registry, and then chosen for instances and put into requests."""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.request
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

import twinforge
from tests.e2e.conftest import NOT_THE_PASSWORD
from twinforge.errors import ImpossibleError

if TYPE_CHECKING:
    from tests.e2e.conftest import Built, PushedTwice
    from tests.e2e.workbench import Project
    from tests.registry_server import RegistryServer

pytestmark = pytest.mark.engine

CPU, CUDA = "cpu-py3.11-debian12", "cu129-py3.11-debian12"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
ANY_MANIFEST = [
    DOCKER_MANIFEST,
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
]


def fetch(registry: RegistryServer, path: str) -> tuple[str, bytes]:
    """Ask the registry as any client does; return the media type and the body."""
    login = base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
    headers = {"Authorization": f"Basic {login}", "Accept": ", ".join(ANY_MANIFEST)}
    request = urllib.request.Request(f"http://{registry.host}/v2/{path}", headers=headers)
    with urllib.request.urlopen(request) as answer:
        return answer.headers["Content-Type"], answer.read()


def release(digits: Project) -> dict[str, Any]:
    variants = json.loads(digits.read("releases/digits.json"))["variants"]
    assert isinstance(variants, dict)
    return variants


def pinned(digits: Project, registry: RegistryServer, slug: str) -> str:
    repository = f"{registry.host}/{digits.prefix}/digits"
    return f"{repository}@{release(digits)[slug]['digests'][repository]}"


def test_a_wrong_password_is_refused_and_shown_nowhere(pushed: PushedTwice) -> None:
    assert pushed.refused.status == 1
    assert "status 401" in pushed.refused.err
    assert "hint: the registry does not know this name and password: run 'docker login " in (
        pushed.refused.err
    )
    assert NOT_THE_PASSWORD not in pushed.refused.said
    assert not pushed.released_by_refused


def test_a_push_sends_what_both_images_share_once(pushed: PushedTwice) -> None:
    assert pushed.first.status == 0, pushed.first.said
    cpu, cuda = json.loads(pushed.first.out)
    assert (cpu["variant"], cuda["variant"]) == (CPU, CUDA)
    assert cpu["layers_sent"] == cpu["layers_total"]
    assert cuda["layers_sent"] == 3  # its own list of wheels, the twin, and what only that needs
    assert cuda["bytes_sent"] < cuda["bytes_total"]


def test_a_second_push_sends_nothing(pushed: PushedTwice) -> None:
    assert pushed.second.status == 0, pushed.second.said
    for first, second in zip(
        json.loads(pushed.first.out), json.loads(pushed.second.out), strict=True
    ):
        assert second["already"]
        assert (second["bytes_sent"], second["layers_sent"]) == (0, 0)
        assert second["digest"] == first["digest"]


def test_the_password_is_shown_nowhere(digits: Project, pushed: PushedTwice) -> None:
    secret = pushed.registry.password
    for run in (pushed.first, pushed.second):
        assert secret not in run.said
    written = [path for path in (digits.root / ".twinforge").rglob("*") if path.is_file()]
    written += [path for path in (digits.root / "releases").rglob("*") if path.is_file()]
    assert written
    assert [path for path in written if secret.encode() in path.read_bytes()] == []


@pytest.mark.parametrize("slug", [CPU, CUDA])
def test_every_tag_is_one_docker_image_whose_config_is_the_image_that_was_smoked(
    digits: Project, built: Built, pushed: PushedTwice, slug: str
) -> None:
    released = release(digits)[slug]
    repository = f"{digits.prefix}/digits"
    digest = released["digests"][f"{pushed.registry.host}/{repository}"]
    assert released["image_id"] == built.ids[slug]
    for name in (*released["tags"], *released["aliases"], digest):
        media_type, body = fetch(pushed.registry, f"{repository}/manifests/{name}")
        assert f"sha256:{hashlib.sha256(body).hexdigest()}" == digest
        manifest = json.loads(body)
        assert media_type == manifest["mediaType"] == DOCKER_MANIFEST
        assert manifest["schemaVersion"] == 2
        assert manifest["config"]["mediaType"] == DOCKER_CONFIG
        assert manifest["config"]["digest"] == built.ids[slug]
        assert {layer["mediaType"] for layer in manifest["layers"]} == {DOCKER_LAYER}


def test_the_registry_has_no_other_tags(digits: Project, version: str, pushed: PushedTwice) -> None:
    _, body = fetch(pushed.registry, f"{digits.prefix}/digits/tags/list")
    keys = {f"key-{variant['key'][:16]}" for variant in release(digits).values()}
    assert set(json.loads(body)["tags"]) == {
        *(f"{version}-{slug}" for slug in (CPU, CUDA)),
        *("9.9-cpu", "9.9-cuda", "latest-cpu", "latest-cuda"),
        *keys,
    }


@pytest.mark.parametrize(("instance", "slug"), [("ml.m4.xlarge", CPU), ("ml.g5.xlarge", CUDA)])
def test_an_instance_gets_the_image_for_it_by_digest(
    digits: Project, pushed: PushedTwice, instance: str, slug: str
) -> None:
    expected = pinned(digits, pushed.registry, slug)
    chosen = digits.must("select", "digits", "--instance", instance, "--digest")
    assert chosen.out == f"{expected}\n"
    assert twinforge.image_uri("digits", instance_type=instance, project=digits.root) == expected


def test_an_instance_whose_gpu_no_image_knows_is_impossible(
    digits: Project, pushed: PushedTwice
) -> None:
    assert pushed.first.status == 0
    chosen = digits.run("select", "digits", "--instance", "ml.p2.xlarge")
    assert (chosen.status, chosen.out) == (4, "")
    assert "NVIDIA Tesla K80" in chosen.err
    assert "CUDA 12.0 dropped the older ones" in chosen.err
    with pytest.raises(ImpossibleError, match="K80"):
        twinforge.image_uri("digits", instance_type="ml.p2.xlarge", project=digits.root)


def test_an_instance_that_nothing_is_known_of_is_not_guessed(
    digits: Project, pushed: PushedTwice
) -> None:
    assert pushed.first.status == 0
    chosen = digits.run("select", "digits", "--instance", "ml.nonsense")
    assert (chosen.status, chosen.out) == (3, "")
    assert "error: there is no data on the instance type 'ml.nonsense'\n" in chosen.err


def test_a_deployment_is_requests_that_sagemaker_takes_with_images_pinned_by_digest(
    digits: Project, pushed: PushedTwice
) -> None:
    printed = digits.must(
        *("deploy", "digits", "--endpoint", "numbers", "--dry-run"),
        *("--instance", "ml.m4.xlarge:2", "--instance", "ml.g5.xlarge"),
        *("--model", "s3://bucket/model.tar.gz"),
        *("--role", "arn:aws:iam::123456789012:role/sagemaker"),
    )
    requests = json.loads(printed.out)
    *models, endpoint, create, update = requests
    assert [create["operation"], update["operation"]] == ["CreateEndpoint", "UpdateEndpoint"]
    assert [request["operation"] for request in models] == ["CreateModel", "CreateModel"]
    assert [model["parameters"]["PrimaryContainer"]["Image"] for model in models] == [
        pinned(digits, pushed.registry, slug) for slug in (CPU, CUDA)
    ]
    assert endpoint["operation"] == "CreateEndpointConfig"
    cpu, cuda = endpoint["parameters"]["ProductionVariants"]
    assert (cpu["InstanceType"], cpu["InitialInstanceCount"]) == ("ml.m4.xlarge", 2)
    assert "InferenceAmiVersion" not in cpu
    assert cuda["InferenceAmiVersion"].startswith("al2-ami-sagemaker-inference-gpu-")
    names = [model["parameters"]["ModelName"] for model in models]
    assert [cpu["ModelName"], cuda["ModelName"]] == names
    assert_valid(requests)


def assert_valid(requests: list[dict[str, Any]]) -> None:
    """botocore itself refuses parameters that SageMaker does not have."""
    client = boto3.client(
        "sagemaker",
        region_name="eu-west-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    answers = {
        "CreateModel": {"ModelArn": "arn:aws:sagemaker:eu-west-1:123456789012:model/it"},
        "CreateEndpointConfig": {
            "EndpointConfigArn": "arn:aws:sagemaker:eu-west-1:123456789012:endpoint-config/it"
        },
        "CreateEndpoint": {"EndpointArn": "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/it"},
        "UpdateEndpoint": {"EndpointArn": "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/it"},
    }
    methods = {operation: name for name, operation in client.meta.method_to_api_mapping.items()}
    with Stubber(client) as stubber:
        for request in requests:
            method = methods[request["operation"]]
            stubber.add_response(method, answers[request["operation"]], request["parameters"])
            getattr(client, method)(**request["parameters"])


def test_a_deployment_from_another_registry_than_ecr_is_refused(
    digits: Project, pushed: PushedTwice
) -> None:
    refused = digits.run(
        *("deploy", "digits", "--endpoint", "numbers", "--instance", "ml.m4.xlarge"),
        *("--model", "s3://bucket/model.tar.gz"),
        *("--role", "arn:aws:iam::123456789012:role/sagemaker"),
    )
    assert refused.status == 4
    assert f"'{pushed.registry.host}' is another registry" in refused.err
