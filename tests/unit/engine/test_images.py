from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock

import pytest
import requests
from docker.errors import APIError, ImageNotFound

from twinforge.engine.engine import Engine
from twinforge.engine.images import Images
from twinforge.errors import MissingToolError, TwinforgeError

ENGINE = Engine(
    host="unix:///nowhere.sock",
    ours=False,
    docker="/usr/bin/docker",
    version="26.1",
    buildx="0.13",
    env={"DOCKER_HOST": "unix:///nowhere.sock"},
)


@pytest.fixture
def client() -> MagicMock:
    return MagicMock()


@pytest.fixture
def images(client: MagicMock) -> Images:
    images = Images(ENGINE)
    images._client = client
    return images


def api_error(status: int, kind: type[APIError] = APIError) -> APIError:
    response = requests.Response()
    response.status_code = status
    return kind("english text", response=response, explanation="because")


def test_making_images_opens_no_connection() -> None:
    assert Images(ENGINE)._client is None


def test_an_image_is_read_from_what_the_engine_says(images: Images, client: MagicMock) -> None:
    attrs: dict[str, Any] = {
        "Id": "sha256:ab",
        "RepoTags": ["b:2", "a:1"],
        "Size": 12,
        "Created": "2000-01-01T00:00:00Z",
        "RootFS": {"Layers": ["sha256:1", "sha256:2"]},
        "Config": {"Labels": {"k": "v"}, "Cmd": None},
    }
    client.images.get.return_value.attrs = attrs
    image = images.inspect("a:1")
    assert image is not None
    assert image.tags == ("a:1", "b:2")
    assert image.labels == {"k": "v"}
    assert image.layers == ("sha256:1", "sha256:2")
    assert image.size_bytes == 12


def test_an_image_without_tags_labels_or_layers_is_one_too(
    images: Images, client: MagicMock
) -> None:
    client.images.get.return_value.attrs = {"Id": "sha256:ab", "RepoTags": None, "Config": None}
    image = images.inspect("sha256:ab")
    assert image is not None
    assert (image.tags, image.labels, image.layers, image.config) == ((), {}, (), {})


def history(*steps: tuple[int, str]) -> list[dict[str, Any]]:
    """Return what the engine says of these steps, which are given from the lowest up."""
    return [{"Size": size, "CreatedBy": what} for size, what in reversed(steps)]


@pytest.mark.parametrize(
    ("steps", "sizes"),
    [
        pytest.param(
            [(9, "mmdebstrap"), (0, "RUN /bin/sh -c true # buildkit"), (5, "COPY a / # buildkit")],
            {"a": 9, "b": 0, "c": 5},
            id="a step that writes nothing has a layer",
        ),
        pytest.param(
            [
                (0, "/bin/sh -c #(nop)  ARG RELEASE"),
                (9, "/bin/sh -c #(nop) ADD file:1 in / "),
                (0, '/bin/sh -c #(nop)  CMD ["/bin/bash"]'),
                (0, "COPY /empty/ / # buildkit"),
                (0, "ENV A=b"),
                (0, "LABEL a=b"),
                (1, "RUN /bin/sh -c x # buildkit"),
            ],
            {"a": 9, "b": 0, "c": 1},
            id="settings have none",
        ),
        pytest.param(
            [(9, "COPY a /"), (5, "COPY b /")], {"sha256:ab": 14}, id="what can't be told apart"
        ),
    ],
)
def test_a_layer_has_the_size_of_its_step(
    images: Images, client: MagicMock, steps: list[tuple[int, str]], sizes: dict[str, int]
) -> None:
    client.images.get.return_value.attrs = {
        "Id": "sha256:ab",
        "Size": sum(size for size, _ in steps),
        "RootFS": {"Layers": ["a", "b", "c"]},
    }
    client.api.history.return_value = history(*steps)
    assert images.layer_sizes("sha256:ab") == sizes


def test_an_image_that_is_not_there_is_none_and_needs_no_removal(
    images: Images, client: MagicMock
) -> None:
    client.images.get.side_effect = api_error(404, ImageNotFound)
    client.api.remove_image.side_effect = api_error(404, ImageNotFound)
    assert images.inspect("a:1") is None
    images.remove("a:1")


def test_an_image_in_use_says_what_holds_it(images: Images, client: MagicMock) -> None:
    client.api.remove_image.side_effect = api_error(409)
    with pytest.raises(TwinforgeError, match=r"removing 'a:1': because") as caught:
        images.remove("a:1")
    assert caught.value.hint == "remove the containers that use it"


def test_an_engine_that_went_away_is_a_missing_tool(images: Images, client: MagicMock) -> None:
    client.api.tag.side_effect = requests.exceptions.ConnectionError("english text")
    with pytest.raises(MissingToolError, match="does not answer"):
        images.tag("sha256:ab", "a:1")


def test_a_tag_is_split_from_a_repository_with_a_port(images: Images, client: MagicMock) -> None:
    images.tag("sha256:ab", "localhost:5000/a/b:1")
    client.api.tag.assert_called_once_with("sha256:ab", "localhost:5000/a/b", "1")


def test_closing_closes_once_and_only_what_was_opened(images: Images, client: MagicMock) -> None:
    with images:
        pass
    images.close()
    client.close.assert_called_once_with()


def test_every_reference_is_listed_with_its_image(images: Images, client: MagicMock) -> None:
    client.api.images.return_value = [
        {"Id": "sha256:1", "RepoTags": ["a:1", "b:2"]},
        {"Id": "sha256:2", "RepoTags": []},
        {"Id": "sha256:3", "RepoTags": None},
    ]
    assert images.references() == {"a:1": "sha256:1", "b:2": "sha256:1"}


def test_an_image_is_pulled_for_the_platform_that_is_built_for(
    images: Images, client: MagicMock
) -> None:
    images.pull("ubuntu:22.04")
    client.images.pull.assert_called_once_with("ubuntu:22.04", platform="linux/amd64")


def test_an_image_that_no_registry_has_is_our_error(images: Images, client: MagicMock) -> None:
    client.images.pull.side_effect = api_error(404, ImageNotFound)
    with pytest.raises(TwinforgeError, match=r"^pulling 'nothing/here:1': because$"):
        images.pull("nothing/here:1")
