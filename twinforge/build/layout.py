"""A root file system as an image: the same tar always becomes the same bytes.

Source: https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from email.parser import HeaderParser
from typing import TYPE_CHECKING

from twinforge.render.dockerfile import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["Layout", "System", "read_layout", "read_system", "stream_archive", "write_layout"]

_MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CHUNK_BYTES = 1 << 20
_STATUS = ("./var/lib/dpkg/status", "var/lib/dpkg/status")


@dataclass(frozen=True, slots=True)
class Layout:
    """An OCI image layout of one image with one uncompressed layer.

    Digests read ``sha256:<hex>``; the layer's is its diff id too, as nothing is compressed.
    """

    folder: Path
    image_id: str
    manifest_digest: str
    layer_digest: str

    def blob(self, digest: str) -> Path:
        """Return the file of a digest."""
        return self.folder / "blobs" / "sha256" / digest.removeprefix("sha256:")


@dataclass(frozen=True, slots=True)
class System:
    """What dpkg knows of a root file system: its architecture, and package name to version."""

    architecture: str
    packages: Mapping[str, str]


def read_system(tar: Path) -> System:
    """Read dpkg's database inside the tar of a root file system.

    Raises:
        ValueError: There is none, so it isn't one of Debian's kind.
    """
    with tarfile.open(tar, "r:") as archive:
        for member in archive:
            if member.name in _STATUS and (file := archive.extractfile(member)) is not None:
                return _parse_status(file.read().decode())
    message = f"'{tar.name}' holds no {_STATUS[1]}"
    raise ValueError(message)


def write_layout(tar: Path, folder: Path, *, architecture: str, created_by: str) -> Layout:
    """Write the image layout of a layer; the tar is moved into it, not copied.

    Args:
        tar: The root file system, on the same file system as ``folder``.
        folder: Where the layout goes; it must not exist.
        architecture: The name that dpkg gives it, which for amd64 and arm64 is OCI's too.
        created_by: What made it, for the history.
    """
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    with tar.open("rb") as file:
        layer = hashlib.file_digest(file, "sha256").hexdigest()
    size_bytes = tar.stat().st_size
    tar.rename(blobs / layer)
    created = datetime.fromtimestamp(EPOCH, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    config = _write_blob(
        blobs,
        {
            "created": created,
            "architecture": architecture,
            "os": "linux",
            "config": {"Env": [_PATH]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
            "history": [{"created": created, "created_by": created_by}],
        },
    )
    manifest = _write_blob(
        blobs,
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST_TYPE,
            "config": {"mediaType": _CONFIG_TYPE, **config},
            "layers": [{"mediaType": _LAYER_TYPE, "digest": f"sha256:{layer}", "size": size_bytes}],
        },
    )
    (folder / "oci-layout").write_bytes(_json({"imageLayoutVersion": "1.0.0"}))
    (folder / "index.json").write_bytes(_index(manifest, {}))
    return Layout(folder, str(config["digest"]), str(manifest["digest"]), f"sha256:{layer}")


def read_layout(folder: Path) -> Layout:
    """Read a layout that :func:`write_layout` wrote.

    Raises:
        FileNotFoundError: It isn't there.
    """
    index = json.loads((folder / "index.json").read_bytes())
    digest = index["manifests"][0]["digest"]
    manifest = json.loads((folder / "blobs" / "sha256" / digest.partition(":")[2]).read_bytes())
    return Layout(folder, manifest["config"]["digest"], digest, manifest["layers"][0]["digest"])


def stream_archive(layout: Layout, *, reference: str) -> Iterator[bytes]:
    """Yield the tar that ``docker load`` takes, for Docker's own store and for containerd's.

    Docker's store reads the name of the image in ``manifest.json``, containerd's in annotations.

    Source: https://github.com/moby/docker-image-spec and containerd's ``core/images/archive``.
    """
    manifest = layout.blob(layout.manifest_digest)
    names = {
        "io.containerd.image.name": f"docker.io/{reference}",
        "org.opencontainers.image.ref.name": reference.rpartition(":")[2],
    }
    descriptor = {"digest": layout.manifest_digest, "size": manifest.stat().st_size}
    blobs = (layout.blob(layout.image_id), manifest, layout.blob(layout.layer_digest))
    loaded = {
        "Config": f"blobs/sha256/{blobs[0].name}",
        "RepoTags": [reference],
        "Layers": [f"blobs/sha256/{blobs[2].name}"],
    }
    files = {
        "oci-layout": (layout.folder / "oci-layout").read_bytes(),
        "index.json": _index(descriptor, names),
        "manifest.json": _json([loaded]),
    }
    for name, content in files.items():
        yield _header(name, len(content))
        yield _padded(content)
    for blob in blobs:
        yield _header(f"blobs/sha256/{blob.name}", blob.stat().st_size)
        with blob.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield _padded(chunk)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _header(name: str, size_bytes: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size_bytes
    member.mtime = EPOCH
    return member.tobuf(tarfile.PAX_FORMAT)


def _padded(content: bytes) -> bytes:
    """Fill up to whole blocks; a chunk before a file's last is a multiple of them already."""
    return content + bytes(-len(content) % tarfile.BLOCKSIZE)


def _parse_status(text: str) -> System:
    packages: dict[str, str] = {}
    architecture = ""
    for stanza in text.split("\n\n"):
        fields = HeaderParser().parsestr(stanza)
        if fields.get("Status", "").split()[-1:] != ["installed"]:
            continue
        packages[fields["Package"]] = fields["Version"]
        if fields["Package"] == "dpkg":
            architecture = fields["Architecture"]
    return System(architecture, dict(sorted(packages.items())))


def _index(manifest: Mapping[str, object], annotations: Mapping[str, str]) -> bytes:
    entry = {"mediaType": _MANIFEST_TYPE, **manifest}
    if annotations:
        entry["annotations"] = dict(annotations)
    return _json({"schemaVersion": 2, "manifests": [entry]})


def _write_blob(blobs: Path, document: object) -> dict[str, object]:
    content = _json(document)
    digest = hashlib.sha256(content).hexdigest()
    (blobs / digest).write_bytes(content)
    return {"digest": f"sha256:{digest}", "size": len(content)}


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
