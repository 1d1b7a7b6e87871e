"""Pushing to ECR: moto plays the control plane, a real registry the data plane."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import boto3
import pytest

from tests.registry_server import running_registry

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.workbench import Project

pytestmark = pytest.mark.engine

ACCOUNT = "123456789012"  # moto's own
TOKEN = f"{ACCOUNT}-auth-token"  # what moto's get_authorization_token holds
AWS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
HOST = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"


def test_a_push_to_ecr_makes_the_repository_and_logs_in_with_a_token(
    tiny: Project, control_plane: str, tmp_path: Path
) -> None:
    tiny.must("build", "tiny")
    tiny.must("smoke", "tiny")
    with running_registry(tmp_path / "registry", username="AWS", password=TOKEN) as registry:
        to = ("push", "tiny", "--endpoint-url", control_plane, "--address", registry.host)
        first = tiny.must(*to)
        second = tiny.json(*to)
        assert TOKEN not in registry.log.read_text()
    repository = f"{tiny.prefix}/tiny"
    assert f"push {repository}: note: made the repository '{repository}' in eu-west-1\n" in (
        first.err
    )
    assert TOKEN not in first.said
    assert [one["already"] for one in second] == [True, True]

    client = boto3.client("ecr", region_name="eu-west-1", endpoint_url=control_plane)
    (made,) = client.describe_repositories(repositoryNames=[repository])["repositories"]
    assert made["imageScanningConfiguration"] == {"scanOnPush": True}
    assert made["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert [one["filter"] for one in made["imageTagMutabilityExclusionFilters"]] == [
        "latest-cpu",
        "latest-cuda",
    ]
    released = json.loads(tiny.read("releases/tiny.json"))["variants"]
    for one in second:
        assert one["repository"] == f"{HOST}/{repository}"
        assert released[one["variant"]]["digests"] == {f"{HOST}/{repository}": one["digest"]}
    chosen = tiny.must("select", "tiny", "--instance", "ml.c5.large", "--region", "eu-west-1")
    assert chosen.out == f"{HOST}/{repository}:{released['cpu-py3.11-debian12']['tags'][0]}\n"


def test_without_credentials_nothing_is_pushed(
    tiny: Project, control_plane: str, tmp_path: Path
) -> None:
    slug = "tiny/cpu-py3.11-debian12"
    tiny.must("build", slug)
    tiny.must("smoke", slug)
    nobody = {
        **dict.fromkeys(AWS, ""),
        "HOME": str(tmp_path),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "",
        "AWS_SHARED_CREDENTIALS_FILE": "",
    }
    refused = tiny.run("push", slug, "--endpoint-url", control_plane, env=nobody)
    assert refused.status == 1
    assert "there are no AWS credentials" in refused.err
    assert "hint: run 'aws configure' or 'aws sso login'" in refused.err
    assert not (tiny.root / "releases").exists()
