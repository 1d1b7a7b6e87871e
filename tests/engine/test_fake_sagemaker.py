"""The fake is held to botocore's models, and to what is known of the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.fakes.account import ACCOUNT, REGION
from tests.fakes.sagemaker import FakeSageMaker
from tests.fakes.wire import Wire, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.engine  # not for an engine, but since it speaks over a socket

ROLE = f"arn:aws:iam::{ACCOUNT}:role/sagemaker"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/ml/words@sha256:{'a' * 64}"


@pytest.fixture
def fake() -> FakeSageMaker:
    return FakeSageMaker()


@pytest.fixture
def wire(fake: FakeSageMaker) -> Iterator[Wire]:
    with serving(fake) as made:
        yield made


@pytest.fixture
def client(wire: Wire) -> Any:
    return boto3.client(
        "sagemaker",
        region_name=REGION,
        endpoint_url=wire.url,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
    )


def make_endpoint(client: Any, name: str = "Words", config: str = "one") -> None:
    container = {"Image": IMAGE, "ModelDataUrl": "s3://models/model.tar.gz"}
    client.create_model(ModelName=config, PrimaryContainer=container, ExecutionRoleArn=ROLE)
    variant = {
        "VariantName": "v",
        "ModelName": config,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
    }
    client.create_endpoint_config(EndpointConfigName=config, ProductionVariants=[variant])
    client.create_endpoint(EndpointName=name, EndpointConfigName=config)


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response.get("Error", {}).get("Code"))


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        (
            {"ModelName": "a", "InferenceExecutionConfig": {"Mode": "Sideways"}},
            "'Sideways' is none of InferenceExecutionMode",
        ),
        ({"ModelName": 3}, "Invalid type"),
        ({}, "Missing required parameter"),
        ({"ModelName": "a" * 64}, "is too long for ModelName"),
        ({"ModelName": "under_score"}, "does not match ModelName"),
    ],
)
def test_a_request_that_does_not_follow_the_model_is_refused(
    client: Any, fake: FakeSageMaker, parameters: dict[str, object], told: str
) -> None:
    with pytest.raises(ClientError, match=told) as caught:
        client.create_model(**parameters)
    assert code(caught) == "ValidationException"
    assert fake.calls == []


def test_an_answer_that_does_not_follow_the_model_is_a_mistake_that_is_kept(
    client: Any, fake: FakeSageMaker, wire: Wire
) -> None:
    make_endpoint(client)
    fake.endpoints["Words"].status = "Dreaming"
    with pytest.raises(ClientError):
        client.describe_endpoint(EndpointName="Words")
    assert wire.mistakes == ["DescribeEndpoint: 'Dreaming' is none of EndpointStatus"]


def test_an_endpoint_walks_from_creating_to_in_service_and_botocores_waiter_sees_it(
    client: Any,
) -> None:
    make_endpoint(client)
    assert client.describe_endpoint(EndpointName="Words")["EndpointStatus"] == "Creating"
    client.get_waiter("endpoint_in_service").wait(
        EndpointName="Words", WaiterConfig={"Delay": 0, "MaxAttempts": 5}
    )
    found = client.describe_endpoint(EndpointName="Words")
    (variant,) = found["ProductionVariants"]
    assert variant["DeployedImages"][0]["ResolvedImage"] == IMAGE
    assert found["EndpointArn"].endswith("endpoint/words")  # ARNs are in lower case


def test_what_is_on_its_way_can_not_be_updated_and_names_are_taken_once(client: Any) -> None:
    make_endpoint(client)
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        client.update_endpoint(EndpointName="Words", EndpointConfigName="one")
    with pytest.raises(ClientError, match="Cannot create already existing endpoint"):
        client.create_endpoint(EndpointName="Words", EndpointConfigName="one")
    with pytest.raises(ClientError, match="Could not find endpoint configuration"):
        client.create_endpoint(EndpointName="Other", EndpointConfigName="two")


def test_a_config_that_is_deleted_under_an_endpoint_is_noticed(
    client: Any, fake: FakeSageMaker
) -> None:
    make_endpoint(client)
    client.delete_endpoint_config(EndpointConfigName="one")
    assert fake.violations == ["one was deleted while 'Words' uses it"]


def test_a_deleted_endpoint_is_gone_as_botocores_waiter_expects(client: Any) -> None:
    make_endpoint(client)
    client.delete_endpoint(EndpointName="Words")
    client.get_waiter("endpoint_deleted").wait(
        EndpointName="Words", WaiterConfig={"Delay": 0, "MaxAttempts": 5}
    )
