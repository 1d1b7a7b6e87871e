from __future__ import annotations

import pytest

from twinforge.errors import RegistryError
from twinforge.registry.aws import connect_ecr, connect_sagemaker, partition_of
from twinforge.registry.items import AwsAccess


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_the_partition_is_botocores(region: str, partition: str) -> None:
    assert partition_of(region) == partition
    with pytest.raises(RegistryError, match="'nowhere' is no AWS region"):
        partition_of("nowhere")


def test_an_address_of_ecr_is_not_taken_for_sagemakers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    access = AwsAccess(endpoint_url="https://vpce-1.api.ecr.eu-west-1.vpce.amazonaws.com")
    assert connect_ecr(access, "eu-west-1").meta.endpoint_url == access.endpoint_url
    found = connect_sagemaker(access, "eu-west-1").meta.endpoint_url
    assert found == "https://api.sagemaker.eu-west-1.amazonaws.com"
