"""From a staging registry with a password to ECR: repositories made, pushed, promoted, recorded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import boto3
import pytest

from tests.registry_server import RegistryServer, running_registry
from twinforge.registry.credentials import Credentials
from twinforge.registry.oci import connect

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.workbench import Project
    from twinforge.model.reference import Digest

pytestmark = pytest.mark.engine

ACCOUNT = "123456789012"  # moto's own
TOKEN = f"{ACCOUNT}-auth-token"  # what moto's get_authorization_token holds
HOST = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"
REGISTRIES = """registry:
  production:
    kind: ecr
    regions: [eu-west-1]
    repository: "PREFIX/{{recipe}}"
    lifecycle: {{keep_images: 50, untagged_days: 14}}
    tags: {{team: ml}}
    access: {{accounts: ["444455556666"]}}
  staging:
    kind: oci
    host: "{host}"
    repository: "staging/PREFIX/{{recipe}}"
    budget: {{serverless: 1 MiB}}
"""


def digest_of(server: RegistryServer, repository: str, tag: str) -> Digest | None:
    with connect(server.host, Credentials(server.username, server.password)) as client:
        stored = client.read_manifest(repository, tag)
    return stored.digest if stored else None


def test_a_release_is_pushed_to_staging_and_promoted_to_ecr(
    tiny: Project, staging: RegistryServer, control_plane: str, tmp_path: Path
) -> None:
    registries = REGISTRIES.format(host=staging.host).replace("PREFIX", tiny.prefix)
    old = tiny.read("matrix.yaml")
    tiny.edit("matrix.yaml", old[old.index("registry:\n") :], registries)

    ecr = ("--endpoint-url", control_plane)
    planned = tiny.json("registry", "plan", *ecr)
    assert {change["aspect"] for change in planned} == {"repository", "policy", "lifecycle"}
    assert tiny.json("registry", "apply", *ecr) == planned
    assert tiny.must("registry", "apply", *ecr).out == "nothing changed\n"
    client = boto3.client("ecr", region_name="eu-west-1", endpoint_url=control_plane)
    repository = f"{tiny.prefix}/tiny"
    (made,) = client.describe_repositories(repositoryNames=[repository])["repositories"]
    assert made["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    rules = client.get_lifecycle_policy(repositoryName=repository)["lifecyclePolicyText"]
    assert [rule["rulePriority"] for rule in json.loads(rules)["rules"]] == [1, 2]

    tiny.must("build", "tiny")
    tiny.must("smoke", "tiny")
    large = tiny.run("push", "tiny", "--to", "staging")
    assert large.status == 1
    assert "more than the 1.0 MiB of 'serverless'; its biggest layers are " in large.err
    source = f"staging/{repository}"
    assert digest_of(staging, source, "latest-cpu") is None
    assert not (tiny.root / "releases").exists()

    tiny.edit("matrix.yaml", "1 MiB", "10 GiB")
    pushed = tiny.json("push", "tiny", "--to", "staging")
    assert [one["layers_sent"] for one in pushed] == [0, 0]
    assert [str(digest_of(staging, source, one["aliases"][0])) for one in pushed] == [
        one["digest"] for one in pushed
    ]

    with running_registry(tmp_path / "ecr", username="AWS", password=TOKEN) as production:
        to = ("promote", "tiny", "--from", "staging", "--to", "production")
        aws = (*ecr, "--address", production.host)
        before = len(production.log.read_text())
        assert repository in tiny.must(*to, "--dry-run").out
        assert len(production.log.read_text()) == before
        first = tiny.run(*to, *aws, "--json")
        assert first.status == 0, first.said
        second = tiny.json(*to, *aws)
        for one in pushed:
            for tag in (*one["tags"], *one["aliases"]):
                assert str(digest_of(production, repository, tag)) == one["digest"]
    assert [one["already"] for one in second] == [True, True]
    assert not any(secret in first.said for secret in (TOKEN, staging.password))
    for variant in json.loads(tiny.read("releases/tiny.json"))["variants"].values():
        assert set(variant["digests"]) == {f"{staging.host}/{source}", f"{HOST}/{repository}"}
        assert len(set(variant["digests"].values())) == 1
    chosen = tiny.must("select", "tiny", "--instance", "ml.c5.large", "--region", "eu-west-1")
    assert chosen.out.startswith(f"{HOST}/{repository}:")
