from __future__ import annotations

import pytest

from twinforge.errors import RegistryError
from twinforge.registry.aws import partition_of


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_the_partition_is_botocores(region: str, partition: str) -> None:
    assert partition_of(region) == partition
    with pytest.raises(RegistryError, match="'nowhere' is no AWS region"):
        partition_of("nowhere")
