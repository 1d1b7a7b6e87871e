"""Bringing layers and configurations to where they are missing, each of them once.

What a registry has is found first. Only for the rest are images saved, layers compressed, and
uploads done while the next layer is being read.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from typing import TYPE_CHECKING

from twinforge.errors import RegistryError
from twinforge.model.reference import Digest
from twinforge.registry.archive import Entry, read_archive, read_config
from twinforge.registry.compress import Compressed, Compressor, read_file
from twinforge.registry.gather import STOPPING_S, StoppedError, gather, pass_on
from twinforge.registry.look import recover_blobs
from twinforge.registry.manifest import Blob

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from twinforge.registry.cache import BlobCache
    from twinforge.registry.destination import Destination
    from twinforge.registry.items import ImageSource, PushItem
    from twinforge.registry.uploads import Uploads

__all__ = ["Transfer"]

COMPRESSORS = 2


class Transfer:
    """One push's movement of blobs."""

    def __init__(  # noqa: PLR0913 - what a push hands down, all by keyword
        self,
        *,
        layers: Mapping[str, tuple[Digest, ...]],
        source: ImageSource,
        cache: BlobCache,
        work_dir: Path,
        progress: Callable[[Digest, int], None],
        asking: ThreadPoolExecutor,
        jobs: int,
        uploads: Uploads | None = None,
    ) -> None:
        self._layers = layers
        self._source = source
        self._cache = cache
        self._work_dir = work_dir
        self._progress = progress
        self._asking = asking
        self._jobs = jobs
        self._uploads = uploads
        self._configs = {Digest.parse(image_id) for image_id in layers}
        self._stopped = threading.Event()

    def run(self, items: Sequence[PushItem], destinations: Sequence[Destination]) -> None:
        """Bring everything that the items need to every destination that lacks the item.

        Args:
            items: In their order.
            destinations: Get what they have and got in ``blobs``, ``configs`` and ``sent``.
        """
        needs = {
            number: [item for item in items if destination.held[item.image_id].stored is None]
            for number, destination in enumerate(destinations)
        }
        for number, destination in enumerate(destinations):
            self._find(needs[number], destination)
        missing: dict[Digest, list[Destination]] = {}
        for number, destination in enumerate(destinations):
            for digest in destination.lacking(self._parts(needs[number])):
                missing.setdefault(digest, []).append(destination)
        if missing:
            self._move(_covering(items, self._layers, missing), missing)

    def _parts(self, items: Sequence[PushItem]) -> list[Digest]:
        parts: dict[Digest, None] = {}
        for item in items:
            parts.update(dict.fromkeys((*self._layers[item.image_id], item.digest)))
        return list(parts)

    def _find(self, items: Sequence[PushItem], destination: Destination) -> None:
        """Look for what is known by digest; share what another repository of the registry has."""
        configs = {item.digest for item in items}
        parts = self._parts(items)
        known = {part: self._cache.blob(part) for part in parts if part not in configs}
        if any(blob is None for blob in known.values()):
            for blobs in self._recovered(destination):
                known.update({part: blobs[part] for part in known if part in blobs})

        def find(part: Digest) -> None:
            if part in configs:
                size = destination.client.blob_size(destination.repository, part)
                if size:
                    destination.configs[part] = Blob(part, size)
                return
            blob = known[part]
            if blob is not None and self._reach(blob, destination):
                destination.blobs[part] = blob
                self._record(part, blob, destination)

        gather([self._asking.submit(find, part) for part in parts])

    def _recovered(self, destination: Destination) -> list[Mapping[Digest, Blob]]:
        manifests = {
            stored.digest: stored
            for held in destination.held.values()
            for stored in (held.stored, *held.others)
            if stored is not None
        }
        return gather(
            [
                self._asking.submit(
                    recover_blobs, destination.client, destination.repository, stored
                )
                for stored in manifests.values()
            ]
        )

    def _reach(self, blob: Blob, destination: Destination) -> bool:
        client, repository = destination.client, destination.repository
        if client.blob_size(repository, blob.digest) == blob.size_bytes:
            return True
        others = self._cache.repositories(destination.host, blob.digest)
        return any(
            client.mount_blob(repository, blob.digest, other)
            for other in others
            if other != repository
        )

    def _move(self, images: Sequence[str], missing: Mapping[Digest, list[Destination]]) -> None:
        """Save images; compress and upload what is missing while the archive is still coming."""
        left = set(missing)
        uploading = ThreadPoolExecutor(self._jobs, thread_name_prefix="upload")
        compressor = Compressor(self._work_dir, workers=COMPRESSORS)
        uploads: list[Future[None]] = []

        def deliver(entry: Entry) -> Digest:
            if entry.hex and Digest(entry.hex) in self._configs:
                config, body = Digest(entry.hex), read_config(entry)
                uploads.append(uploading.submit(self._configure, config, body, missing[config]))
                return config
            packing = compressor.start(self._watched(entry.chunks), entry.size_bytes)
            done: Future[None] = Future()
            uploads.append(done)

            def upload(packed: Future[Compressed]) -> None:
                error = packed.exception()
                if error is not None:
                    self._stopped.set()
                    done.set_exception(error)
                    return
                sending = uploading.submit(self._deliver, entry, packed.result(), missing)
                sending.add_done_callback(lambda sent: pass_on(sent, done))

            packing.add_done_callback(upload)
            # Which layer it is, an old archive says only by its content.
            return Digest(entry.hex) if entry.hex else packing.result().diff_id

        try:
            wanted = {digest.hex for digest in left}
            with closing(read_archive(self._source.save(images), wanted)) as entries:
                for entry in entries:
                    left.discard(deliver(entry))
                    if not left:
                        break
        except StoppedError:
            left.clear()  # an upload failed; its own error is told below
        except BaseException:
            self._stopped.set()
            raise
        finally:
            self._end(compressor, uploading, uploads)
        gather(uploads)
        for digest in left:
            message = f"the engine's archive lacks {digest}, which belongs to an image in it"
            hint = "an engine with the containerd image store is not supported yet: use overlay2"
            raise RegistryError(message, hint=hint)

    def _end(
        self,
        compressor: Compressor,
        uploading: ThreadPoolExecutor,
        uploads: Sequence[Future[None]],
    ) -> None:
        """Wait for what is under way; after an interrupt, until it has ended in good order.

        Results are waited for and not threads: in Python 3.11 a thread whose join was interrupted
        counts as ended.
        """
        try:
            compressor.close()
            wait(uploads)
        except BaseException:
            self._stopped.set()
            wait(uploads, STOPPING_S)
            raise
        finally:
            uploading.shutdown(wait=False)

    def _deliver(
        self, entry: Entry, layer: Compressed, missing: Mapping[Digest, Sequence[Destination]]
    ) -> None:
        """Upload a compressed layer to all that lack it, and remove its file."""
        try:
            self._go_on()
            _check_content(entry, layer)
            for destination in missing.get(layer.diff_id, ()):
                client, repository = destination.client, destination.repository
                blob = layer.blob
                # The state folder may be new while the registry is not.
                if client.blob_size(repository, blob.digest) != blob.size_bytes:
                    destination.sent[layer.diff_id] = client.upload_blob(
                        repository,
                        blob.digest,
                        blob.size_bytes,
                        lambda offset: self._counted(layer, offset),
                        self._uploads,
                    )
                destination.blobs[layer.diff_id] = blob
                self._record(layer.diff_id, blob, destination)
                # A push that is killed has then at least this to go on from.
                self._cache.save()
        except BaseException:
            self._stopped.set()
            raise
        finally:
            layer.path.unlink(missing_ok=True)

    def _configure(self, config: Digest, body: bytes, destinations: Sequence[Destination]) -> None:
        for destination in destinations:
            destination.client.upload_blob(
                destination.repository,
                config,
                len(body),
                lambda offset: iter((body[offset:],)),
            )
            destination.configs[config] = Blob(config, len(body))
            destination.sent[config] = len(body)

    def _counted(self, layer: Compressed, offset: int) -> Iterator[bytes]:
        done = offset
        for chunk in read_file(layer.path, offset):
            self._go_on()
            yield chunk
            done += len(chunk)
            self._progress(layer.diff_id, done)

    def _watched(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._go_on()
            yield chunk

    def _go_on(self) -> None:
        if self._stopped.is_set():
            message = "the push was stopped by another part's failure"
            raise StoppedError(message)

    def _record(self, diff_id: Digest, blob: Blob, destination: Destination) -> None:
        self._cache.record(diff_id, blob, host=destination.host, repository=destination.repository)


def _check_content(entry: Entry, layer: Compressed) -> None:
    if entry.hex and layer.diff_id.hex != entry.hex:
        message = f"the engine's archive has other content for the layer sha256:{entry.hex}"
        raise RegistryError(message)


def _covering(
    items: Sequence[PushItem],
    layers: Mapping[str, tuple[Digest, ...]],
    missing: Collection[Digest],
) -> list[str]:
    """Return few images that have all that is missing: an engine saves whole images only."""
    left = set(missing)
    parts = {item.image_id: {*layers[item.image_id], item.digest} for item in items}
    chosen: list[str] = []
    while left:
        best = max(parts, key=lambda image: len(parts[image] & left))
        if not parts[best] & left:  # pragma: no cover - what is missing is a part of an item
            break
        left -= parts[best]
        chosen.append(best)
    return chosen
