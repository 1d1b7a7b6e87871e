"""ECR's control plane as moto plays it, and its data plane as a real registry does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest
from moto.server import ThreadedMotoServer

from twinforge.events import Event, State
from twinforge.model.matrix import Registry
from twinforge.model.place import Place
from twinforge.registry.ecr import prepare_targets
from twinforge.registry.items import AwsAccess, Tags

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.engine  # not for an engine, but since it speaks over a socket

REGISTRY = Registry(
    kind="ecr",
    host="",
    account="",
    regions=("eu-west-1", "us-east-1"),
    repository="ml/{recipe}",
    scan_on_push=True,
    place=Place("matrix.yaml", 1, 1),
)
TAGS = Tags(("1.2.0-cpu-py3.11",), ("1.2-cpu", "latest-cpu"), ("{major}.{minor}-cpu", "latest-cpu"))


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_every_region_gets_a_repository_and_a_login(endpoint: str) -> None:
    events: list[Event] = []
    access = AwsAccess(endpoint_url=endpoint, address="127.0.0.1:5000")
    for _ in range(2):  # the second time they are there
        targets = prepare_targets(
            REGISTRY, "ml/digits", TAGS, access=access, listener=events.append
        )
    assert [str(target.repository) for target in targets] == [
        f"123456789012.dkr.ecr.{region}.amazonaws.com/ml/digits" for region in REGISTRY.regions
    ]
    assert {target.address for target in targets} == {"127.0.0.1:5000"}
    assert targets[0].credentials.username == "AWS"
    assert targets[0].credentials.password == "123456789012-auth-token"
    assert [event.state for event in events] == [State.NOTE, State.NOTE]

    client = boto3.client("ecr", region_name="us-east-1", endpoint_url=endpoint)
    (made,) = client.describe_repositories(repositoryNames=["ml/digits"])["repositories"]
    assert made["imageScanningConfiguration"] == {"scanOnPush": True}
    assert made["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert [one["filter"] for one in made["imageTagMutabilityExclusionFilters"]] == [
        "*.*-cpu",
        "latest-cpu",
    ]
