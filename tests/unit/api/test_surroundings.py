from __future__ import annotations

import pytest

from twinforge.api.surroundings import proxy_of

PROXY = {"HTTPS_PROXY": "http://proxy.example.com:3128"}


def test_a_registry_elsewhere_is_reached_through_the_proxy() -> None:
    assert proxy_of(PROXY, "registry.example.com") == PROXY["HTTPS_PROXY"]
    assert proxy_of({"https_proxy": "http://other:1"}, "registry.example.com") == "http://other:1"
    assert proxy_of({}, "registry.example.com") == ""


def test_a_registry_that_is_exempt_is_reached_without() -> None:
    assert proxy_of({**PROXY, "NO_PROXY": "example.com"}, "registry.example.com:5000") == ""


@pytest.mark.parametrize("host", ["127.0.0.1:5000", "localhost", "localhost:5000", "[::1]:5000"])
def test_this_machine_is_never_asked_through_a_proxy(host: str) -> None:
    """Plain HTTP is spoken to it: the proxy would read the password."""
    assert proxy_of(PROXY, host) == ""
