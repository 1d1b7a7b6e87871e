from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import NoCredentialsError
from botocore.stub import Stubber

from tests.fake_ecr import FakeEcr
from twinforge.errors import RegistryError, RegistryRefusedError
from twinforge.events import Event, State, ignore
from twinforge.model.matrix import Registry
from twinforge.model.place import Place
from twinforge.registry.ecr import ensure_repository, fetch_login, prepare_targets, reach_targets
from twinforge.registry.items import AwsAccess, Tags

if TYPE_CHECKING:
    from collections.abc import Iterator

REGION = "eu-west-1"
TAGS = Tags(
    immutable=("1.2.0-cpu-py3.11", "key-0123456789abcdef"),
    aliases=("1.2-cpu", "latest-cpu"),
    templates=("{major}.{minor}-cpu", "latest-cpu"),
)
FILTERS = [
    {"filterType": "WILDCARD", "filter": "*.*-cpu"},
    {"filterType": "WILDCARD", "filter": "latest-cpu"},
]


@pytest.fixture
def stub() -> Iterator[Stubber]:
    """A client whose requests and answers are held against botocore's own model."""
    client = boto3.session.Session(
        aws_access_key_id="key", aws_secret_access_key="secret", region_name=REGION
    ).client("ecr")
    with Stubber(client) as found:
        yield found
        found.assert_no_pending_responses()


def ensure(stub: Stubber, *, account: str = "", listener: Any = ignore, tags: Tags = TAGS) -> None:
    ensure_repository(
        stub.client,
        REGION,
        "ml/digits",
        account=account,
        tags=tags,
        scan_on_push=True,
        listener=listener,
    )


def login(stub: Stubber, token: str, *, account: str = "") -> Any:
    endpoint = "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com"
    entry = {"authorizationToken": token, "proxyEndpoint": endpoint}
    stub.add_response("get_authorization_token", {"authorizationData": [entry]}, {})
    return fetch_login(stub.client, REGION, account=account)


def test_a_repository_is_made_with_tags_that_stay_and_aliases_that_move(stub: Stubber) -> None:
    stub.add_client_error("describe_repositories", "RepositoryNotFoundException")
    stub.add_response(
        "create_repository",
        {},
        {
            "registryId": "444455556666",
            "repositoryName": "ml/digits",
            "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
            "imageTagMutabilityExclusionFilters": FILTERS,
            "imageScanningConfiguration": {"scanOnPush": True},
        },
    )
    ensure(stub, account="444455556666")


def test_without_aliases_everything_stays(stub: Stubber) -> None:
    stub.add_client_error("describe_repositories", "RepositoryNotFoundException")
    stub.add_response(
        "create_repository",
        {},
        {
            "repositoryName": "ml/digits",
            "imageTagMutability": "IMMUTABLE",
            "imageScanningConfiguration": {"scanOnPush": True},
        },
    )
    ensure(stub, tags=Tags(TAGS.immutable, ()))


def test_somebody_who_was_faster_is_no_error(stub: Stubber) -> None:
    stub.add_client_error("describe_repositories", "RepositoryNotFoundException")
    stub.add_client_error("create_repository", "RepositoryAlreadyExistsException")
    found = {
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": FILTERS,
    }
    stub.add_response("describe_repositories", {"repositories": [found]})
    ensure(stub)


def test_a_repository_that_freezes_an_alias_is_an_error_that_says_the_command(
    stub: Stubber,
) -> None:
    found = {"imageTagMutability": "IMMUTABLE"}
    stub.add_response("describe_repositories", {"repositories": [found]})
    with pytest.raises(RegistryError, match=r"alias '1\.2-cpu' could never move") as caught:
        ensure(stub)
    assert "filterType=WILDCARD,filter=*.*-cpu" in caught.value.hint


def test_a_repository_whose_tags_all_move_is_noted(stub: Stubber) -> None:
    stub.add_response(
        "describe_repositories", {"repositories": [{"imageTagMutability": "MUTABLE"}]}
    )
    events: list[Event] = []
    ensure(stub, listener=events.append)
    (event,) = events
    assert event.state is State.NOTE
    assert "is MUTABLE" in event.text


def test_a_password_that_ends_like_its_name_is_not_cut(stub: Stubber) -> None:
    found = login(stub, base64.b64encode(b"AWS:SWA:AWS").decode())
    assert found.credentials.username == "AWS"
    assert found.credentials.password == "SWA:AWS"
    assert found.host == "111122223333.dkr.ecr.eu-west-1.amazonaws.com"


def test_the_registry_of_another_account_is_of_its_account(stub: Stubber) -> None:
    token = base64.b64encode(b"AWS:x").decode()
    found = login(stub, token, account="444455556666")
    assert found.host == "444455556666.dkr.ecr.eu-west-1.amazonaws.com"


def test_a_token_that_is_none_is_an_error_without_it(stub: Stubber) -> None:
    with pytest.raises(RegistryError, match="did not answer with a token") as caught:
        login(stub, "s3cret!")
    assert "s3cret" not in caught.value.message
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("code", ["AccessDeniedException", "UnrecognizedClientException"])
def test_a_definite_no_is_told_by_its_code(stub: Stubber, code: str) -> None:
    stub.add_client_error("get_authorization_token", code, "not you")
    with pytest.raises(RegistryRefusedError, match=f"answers {code}: not you"):
        fetch_login(stub.client, REGION)


def test_a_server_that_fails_is_not_a_no(stub: Stubber) -> None:
    stub.add_client_error("get_authorization_token", "ServerException", "later")
    with pytest.raises(RegistryError) as caught:
        fetch_login(stub.client, REGION)
    assert not isinstance(caught.value, RegistryRefusedError)


def test_who_has_no_credentials_is_told_how_to_get_some() -> None:
    class Client:
        def get_authorization_token(self) -> None:
            raise NoCredentialsError

    with pytest.raises(RegistryRefusedError, match="there are no AWS credentials") as caught:
        fetch_login(Client(), REGION)
    assert "aws configure" in caught.value.hint


def test_every_region_has_its_partition_s_host_a_way_to_renew_and_its_scans(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = FakeEcr()
    monkeypatch.setattr("twinforge.registry.ecr.connect_ecr", fake.connect)
    registry = Registry(
        kind="ecr",
        host="",
        account="",
        regions=("eu-west-1", "cn-north-1"),
        repository="ml/{recipe}",
        scan_on_push=True,
        place=Place("matrix.yaml", 1, 1),
        kms_key="alias/ml",
    )
    targets = prepare_targets(registry, "ml/digits", TAGS, access=AwsAccess(), listener=ignore)
    assert [target.repository.name for target in targets] == [
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ml/digits",
        "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/ml/digits",
    ]
    made = fake.repositories["cn-north-1", "ml/digits"]["encryptionConfiguration"]
    assert made == {"encryptionType": "KMS", "kmsKey": "alias/ml"}
    digest = f"sha256:{'d' * 64}"
    fake.scans[digest] = [{"imageScanStatus": {"status": "COMPLETE"}}]
    for target in targets:
        assert target.renew is not None
        assert target.renew() == target.credentials
        assert target.findings is not None
        assert target.findings("ml/digits", digest) == ()


def test_a_registry_that_is_only_read_from_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeEcr()
    monkeypatch.setattr("twinforge.registry.ecr.connect_ecr", fake.connect)
    registry = Registry("ecr", "", "", ("eu-west-1",), "ml/x", True, Place("matrix.yaml", 1, 1))  # noqa: FBT003 - a registry's flag
    (target,) = reach_targets(registry, "ml/digits", access=AwsAccess())
    assert target.repository.repository == "ml/digits"
    assert {name for _, name, _ in fake.calls} == {"get_authorization_token"}
