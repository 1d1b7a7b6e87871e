from __future__ import annotations

import json
from typing import Any

import pytest

from twinforge.engine.client import (
    DEFAULT_HOST,
    Endpoint,
    child_environ,
    parse_buildx_version,
    parse_context,
    read_endpoint,
)


def context(name: str, host: str, **more: Any) -> str:
    docker = {"Host": host, "SkipTLSVerify": more.pop("skip", False)}
    document = {"Name": name, "Endpoints": {"docker": docker}, "TLSMaterial": {}, **more}
    return json.dumps([document])


def test_the_default_context_chooses_nothing() -> None:
    assert parse_context(context("default", DEFAULT_HOST)) == Endpoint(DEFAULT_HOST)


def test_another_context_is_a_choice_and_is_named() -> None:
    endpoint = parse_context(context("colima", "unix:///home/u/.colima/docker.sock"))
    assert endpoint.chosen_by == "the docker context 'colima'"
    assert endpoint.host == "unix:///home/u/.colima/docker.sock"
    assert endpoint.tls == {}


@pytest.mark.parametrize(("skip", "name"), [(False, "DOCKER_TLS_VERIFY"), (True, "DOCKER_TLS")])
def test_the_certificates_of_a_context_travel_with_its_host(name: str, *, skip: bool) -> None:
    text = context(
        "far",
        "tcp://far:2376",
        skip=skip,
        TLSMaterial={"docker": ["ca.pem", "cert.pem", "key.pem"]},
        Storage={"TLSPath": "/home/u/.docker/contexts/tls/abc"},
    )
    tls = parse_context(text).tls
    assert tls == {"DOCKER_CERT_PATH": "/home/u/.docker/contexts/tls/abc/docker", name: "1"}


def test_docker_host_is_the_choice_without_asking_docker() -> None:
    endpoint = read_endpoint(None, {"DOCKER_HOST": "tcp://far:2375", "DOCKER_CONTEXT": "x"})
    assert endpoint == Endpoint("tcp://far:2375", "DOCKER_HOST")


def test_children_get_the_host_and_neither_a_context_nor_tls_that_is_not_its() -> None:
    environ = {"PATH": "/bin", "DOCKER_CONTEXT": "far", "DOCKER_TLS_VERIFY": "1"}
    endpoint = Endpoint("unix:///s", "the docker context 'far'", is_context=True)
    assert child_environ(environ, endpoint) == {"PATH": "/bin", "DOCKER_HOST": "unix:///s"}


def test_children_keep_the_tls_variables_that_belong_to_docker_host() -> None:
    environ = {"DOCKER_HOST": "tcp://far:2376", "DOCKER_TLS_VERIFY": "1"}
    assert child_environ(environ, Endpoint("tcp://far:2376", "DOCKER_HOST")) == environ


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("github.com/docker/buildx 0.13.1+ds1 0.13.1+ds1-3\n", "0.13.1+ds1"),
        ("github.com/docker/buildx v0.17.1 257815a\n", "0.17.1"),
        ("buildah version 1.33", ""),
        ("", ""),
    ],
)
def test_the_version_of_buildx_is_read(text: str, version: str) -> None:
    assert parse_buildx_version(text) == version
