from __future__ import annotations

import pytest

from twinforge.engine.door import is_reached


@pytest.mark.parametrize(
    ("gateway", "is_ours"),
    [("127.0.0.1", True), ("127.0.0.1/8", True), ("192.0.2.1", False), ("", False)],
)
def test_a_network_is_reached_where_its_gateway_is_an_address_of_this_machine(
    gateway: str,
    is_ours: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    attributes: dict[str, object] = {"IPAM": {"Config": [{"Gateway": gateway}]}}
    assert is_reached(attributes) == is_ours


@pytest.mark.parametrize("attributes", [{}, {"IPAM": None}, {"IPAM": {"Config": None}}])
def test_a_network_that_says_no_gateway_is_not_reached(attributes: dict[str, object]) -> None:
    assert not is_reached(attributes)
