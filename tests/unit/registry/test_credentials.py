from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from twinforge import process
from twinforge.errors import RegistryError
from twinforge.registry.credentials import ANONYMOUS, Credentials, read_credentials

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HOST = "registry.example.com:5000"


def write(folder: Path, config: object) -> Path:
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_password_may_hold_colons(tmp_path: Path) -> None:
    folder = write(tmp_path, {"auths": {HOST: {"auth": encoded("me:pass:word")}}})
    assert read_credentials(HOST, folder, env={}) == Credentials("me", "pass:word")


@pytest.mark.parametrize(
    ("host", "key"),
    [
        (HOST, f"https://{HOST}"),
        ("docker.io", "https://index.docker.io/v1/"),
    ],
)
def test_older_spellings_of_a_host_are_found(tmp_path: Path, host: str, key: str) -> None:
    folder = write(tmp_path, {"auths": {key: {"auth": encoded("me:pw")}}})
    assert read_credentials(host, folder, env={}) == Credentials("me", "pw")


def test_an_identity_token_is_taken(tmp_path: Path) -> None:
    folder = write(tmp_path, {"auths": {HOST: {"identitytoken": "tok"}}})
    assert read_credentials(HOST, folder, env={}) == Credentials(identity_token="tok")


@pytest.mark.parametrize("config", [{}, {"auths": {}}, {"auths": {HOST: {}}}, {"auths": None}])
def test_who_never_logged_in_is_anonymous(tmp_path: Path, config: object) -> None:
    assert read_credentials(HOST, write(tmp_path, config), env={}) == ANONYMOUS


def test_without_a_configuration_one_is_anonymous(tmp_path: Path) -> None:
    assert read_credentials(HOST, tmp_path, env={}) == ANONYMOUS


def test_an_entry_that_is_damaged_is_an_error_without_its_content(tmp_path: Path) -> None:
    folder = write(tmp_path, {"auths": {HOST: {"auth": "s3cret!"}}})
    with pytest.raises(RegistryError, match="not base64") as caught:
        read_credentials(HOST, folder, env={})
    assert "s3cret" not in caught.value.message


def test_secrets_are_no_part_of_a_repr() -> None:
    shown = repr(Credentials("me", "s3cret", "t0ken"))
    assert "s3cret" not in shown
    assert "t0ken" not in shown


class Helper:
    def __init__(self, status: int, stdout: str) -> None:
        self.answer = (status, stdout)
        self.calls: list[tuple[Sequence[str], bytes]] = []

    def __call__(self, argv: Sequence[str], *, stdin: bytes, **_: Any) -> process.Completed:
        self.calls.append((tuple(argv), stdin))
        return process.Completed(tuple(argv), *self.answer, "")


@pytest.mark.parametrize(
    ("config", "program"),
    [
        ({"credsStore": "pass"}, "docker-credential-pass"),
        ({"credsStore": "pass", "credHelpers": {HOST: "ecr-login"}}, "docker-credential-ecr-login"),
    ],
)
def test_a_helper_is_asked_on_its_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: object, program: str
) -> None:
    helper = Helper(0, json.dumps({"ServerURL": HOST, "Username": "me", "Secret": "pw"}))
    monkeypatch.setattr(process, "run", helper)
    assert read_credentials(HOST, write(tmp_path, config), env={}) == Credentials("me", "pw")
    assert helper.calls == [((program, "get"), HOST.encode())]


def test_a_helper_may_give_an_identity_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "run", Helper(0, '{"Username": "<token>", "Secret": "tok"}'))
    found = read_credentials(HOST, write(tmp_path, {"credsStore": "x"}), env={})
    assert found == Credentials(identity_token="tok")


def test_a_helper_that_knows_nobody_leaves_it_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "run", Helper(1, "credentials not found in native keychain\n"))
    config = {"credsStore": "x", "auths": {HOST: {"auth": encoded("me:pw")}}}
    assert read_credentials(HOST, write(tmp_path, config), env={}) == Credentials("me", "pw")


@pytest.mark.parametrize(("status", "output"), [(2, "s3cret"), (0, "s3cret"), (0, "[1]")])
def test_what_a_helper_prints_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, output: str
) -> None:
    monkeypatch.setattr(process, "run", Helper(status, output))
    with pytest.raises(RegistryError, match="docker-credential-x") as caught:
        read_credentials(HOST, write(tmp_path, {"credsStore": "x"}), env={})
    assert "s3cret" not in caught.value.message + caught.value.hint
