from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from twinforge.build.layout import read_layout, read_system, stream_archive, write_layout

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

REFERENCE = "twinforge/base:debian-12-0123456789abcdef"


def test_dpkgs_database_is_read_without_packages_that_are_gone(
    tmp_path: Path, write_tar: Callable[..., Path]
) -> None:
    system = read_system(write_tar(tmp_path / "root.tar"))
    assert system.architecture == "amd64"
    assert system.packages == {"dpkg": "1.21.22", "libc6": "2.36-9"}


def test_a_tar_without_dpkgs_database_is_refused(tmp_path: Path) -> None:
    tarfile.open(tmp_path / "root.tar", "w").close()
    with pytest.raises(ValueError, match=r"'root\.tar' holds no var/lib/dpkg/status"):
        read_system(tmp_path / "root.tar")


def test_the_same_layer_becomes_the_same_image(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        (tmp_path / f"{name}.tar").write_bytes(b"a layer")
        layout = write_layout(
            tmp_path / f"{name}.tar", tmp_path / name, architecture="amd64", created_by="mmdebstrap"
        )
        made.append((layout.image_id, layout.manifest_digest, layout.layer_digest))
    # written down on purpose: other digests mean that every base and every image changes
    assert made[0] == (
        "sha256:e21bfa4c620c58d87164ce29ee66e7f5114e707c52428952b7cd889dfd8e0406",
        "sha256:0f74b42856fad6e393530414d3cf7323384784694d80c2aa64d9ed2f5eb37b10",
        "sha256:e28d98ac666afd34f089b971a663264d54d67a60ddc82996d48d8f3c204eb75f",
    )
    assert made[0] == made[1]
    assert (tmp_path / "one/index.json").read_bytes() == (tmp_path / "two/index.json").read_bytes()


def test_a_layout_holds_what_the_specification_asks_for(
    tmp_path: Path, write_tar: Callable[..., Path]
) -> None:
    tar = write_tar(tmp_path / "root.tar")
    made = write_layout(tar, tmp_path / "layout", architecture="amd64", created_by="mmdebstrap")
    assert not tar.exists()
    assert read_layout(made.folder) == made
    assert json.loads((made.folder / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    for digest in (made.image_id, made.manifest_digest, made.layer_digest):
        content = made.blob(digest).read_bytes()
        assert f"sha256:{hashlib.sha256(content).hexdigest()}" == digest
    config = json.loads(made.blob(made.image_id).read_text())
    assert config["rootfs"]["diff_ids"] == [made.layer_digest]
    assert config["created"] == "2000-01-01T00:00:00Z"
    assert config["config"].keys() == {"Env"}
    manifest = json.loads(made.blob(made.manifest_digest).read_text())
    for part in (manifest["config"], *manifest["layers"]):
        assert part["size"] == made.blob(part["digest"]).stat().st_size


def test_an_archive_to_load_holds_the_blobs_unchanged_and_the_name_for_both_stores(
    tmp_path: Path, write_tar: Callable[..., Path]
) -> None:
    made = write_layout(
        write_tar(tmp_path / "root.tar"),
        tmp_path / "layout",
        architecture="amd64",
        created_by="mmdebstrap",
    )
    data = b"".join(stream_archive(made, reference=REFERENCE))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        files = {
            member.name: file.read()
            for member in archive
            if (file := archive.extractfile(member)) is not None
        }
    for digest in (made.image_id, made.manifest_digest, made.layer_digest):
        name = f"blobs/sha256/{digest.removeprefix('sha256:')}"
        assert files[name] == made.blob(digest).read_bytes()
    (entry,) = json.loads(files["manifest.json"])
    assert entry["RepoTags"] == [REFERENCE]
    assert {entry["Config"], *entry["Layers"]} <= files.keys()
    (descriptor,) = json.loads(files["index.json"])["manifests"]
    assert descriptor["digest"] == made.manifest_digest
    assert descriptor["annotations"]["io.containerd.image.name"] == f"docker.io/{REFERENCE}"


def test_a_layout_that_is_not_there_is_no_layout(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_layout(tmp_path / "nothing")
