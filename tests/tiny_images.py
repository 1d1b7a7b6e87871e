"""Images of a few kilobytes in memory, saved as an engine saves them."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from twinforge.registry.items import PushItem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def tar(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return file.getvalue()


class TinyImages:
    """An ``ImageSource``; ``saved`` counts how often it was read."""

    def __init__(self) -> None:
        self.layers: dict[str, bytes] = {}
        self.configs: dict[str, bytes] = {}
        self.saved = 0

    def add(self, *layers: bytes) -> str:
        """Add an image and return its id; the layers may be anything."""
        diff_ids = [sha256(layer) for layer in layers]
        history = [{"created_by": f"COPY layer-{number} /"} for number in range(len(layers))]
        document = {
            "architecture": "amd64",
            "config": {},
            "history": history,
            "os": "linux",
            "rootfs": {"diff_ids": diff_ids, "type": "layers"},
        }
        config = json.dumps(document, sort_keys=True).encode()
        self.layers.update(zip(diff_ids, layers, strict=True))
        self.configs[sha256(config)] = config
        return sha256(config)

    def inspect(self, reference: str) -> Any:
        if reference not in self.configs:
            return None
        return SimpleNamespace(id=reference, layers=self._diff_ids(reference))

    def save(self, references: Sequence[str]) -> Iterator[bytes]:
        self.saved += 1
        names = {one for reference in references for one in self._diff_ids(reference)}
        files = {one: self.layers[one] for one in sorted(names)}
        files.update({reference: self.configs[reference] for reference in references})
        yield tar({f"blobs/sha256/{one[7:]}": body for one, body in files.items()})

    def _diff_ids(self, reference: str) -> tuple[str, ...]:
        return tuple(json.loads(self.configs[reference])["rootfs"]["diff_ids"])


def push_item(image_id: str, slug: str, version: str = "1.0.0") -> PushItem:
    """Return what is asked of a push of an image."""
    variant: Any = SimpleNamespace(id=f"tiny/{slug}", slug=slug)
    tags = (f"{version}-{slug}", f"key-{image_id[7:23]}")
    return PushItem(variant, image_id, f"tiny:{slug}", tags, (f"latest-{slug}",))
