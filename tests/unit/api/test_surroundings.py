from __future__ import annotations

import re

import pytest

from twinforge.api.surroundings import proxy_of
from twinforge.errors import UsageError

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


def test_a_proxy_without_a_scheme_is_spoken_to_over_http() -> None:
    found = proxy_of({"HTTPS_PROXY": "user:hunter2@proxy:3128"}, "registry.example.com")
    assert found == "http://user:hunter2@proxy:3128"


@pytest.mark.parametrize(
    "value",
    [
        "socks5://u:hunter2@proxy:1080",
        "http://",
        "http://u:hunter2@",
        "http://[hunter2",
        "proxy:hunter2",
    ],
)
def test_what_is_no_proxy_is_told_without_its_password(value: str) -> None:
    with pytest.raises(UsageError, match=re.escape("the environment's https_proxy")) as caught:
        proxy_of({"https_proxy": value}, "registry.example.com")
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"
