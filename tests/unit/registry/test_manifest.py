from __future__ import annotations

import hashlib
import json

import pytest

from twinforge.errors import RegistryError
from twinforge.model.reference import Digest
from twinforge.registry.manifest import (
    MANIFEST_TYPE,
    Blob,
    parse_diff_ids,
    parse_manifest,
    render_manifest,
)

CONFIG = Blob(Digest("1" * 64), 100)
LAYERS = (Blob(Digest("2" * 64), 20), Blob(Digest("3" * 64), 30))


def test_a_manifest_is_dockers_and_its_digest_never_changes() -> None:
    body = render_manifest(CONFIG, LAYERS)
    assert hashlib.sha256(body).hexdigest() == (
        "fa56007e2c8b2638dc9de9633c9f07cf70a4baeafb477b4c36688b2ab804fc0b"
    )
    assert json.loads(body)["mediaType"] == MANIFEST_TYPE


def test_what_is_rendered_is_parsed_back() -> None:
    manifest = parse_manifest(render_manifest(CONFIG, LAYERS), "")
    assert manifest is not None
    assert (manifest.media_type, manifest.config, manifest.layers) == (
        MANIFEST_TYPE,
        CONFIG,
        LAYERS,
    )
    assert manifest.size_bytes == 150
    assert manifest.gzipped


@pytest.mark.parametrize("body", [b"", b"[]", b'{"manifests": []}', b'{"layers": [1]}'])
def test_what_is_not_one_image_is_no_manifest(body: bytes) -> None:
    assert parse_manifest(body, MANIFEST_TYPE) is None


def test_a_layer_that_is_packed_in_another_way_is_told() -> None:
    document = json.loads(render_manifest(CONFIG, LAYERS))
    document["layers"][1]["mediaType"] = "application/vnd.oci.image.layer.v1.tar+zstd"
    manifest = parse_manifest(json.dumps(document).encode(), "")
    assert manifest is not None
    assert not manifest.gzipped


def test_a_configuration_without_layers_is_an_error() -> None:
    with pytest.raises(RegistryError, match="lists no layers"):
        parse_diff_ids(b'{"architecture": "amd64"}')
