"""A release that goes from one repository to others, as it is: nothing is built, unpacked or packed.

What a repository has is not moved. What another repository of the same registry has is shared by a
mount; the rest is copied in a stream, piece by piece, from registry to registry. The order is that
of a push: look, blobs, manifests, verify, and only then the aliases, all together.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.errors import ContentConflictError, RegistryError
from twinforge.events import Event, State
from twinforge.registry.destination import Destination
from twinforge.registry.gather import STOPPING_S, StoppedError, gather
from twinforge.registry.look import Held, check_names
from twinforge.registry.manifest import MANIFEST_TYPE, parse_manifest
from twinforge.registry.oci import connect
from twinforge.registry.publish import Publication, publish_all
from twinforge.registry.upload import is_ecr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from twinforge.events import Listener
    from twinforge.model.reference import Digest
    from twinforge.registry.items import Pushed, PushItem, Target
    from twinforge.registry.manifest import Blob, Manifest
    from twinforge.registry.oci import RegistryClient, StoredManifest
    from twinforge.registry.publish import Gate
    from twinforge.registry.retry import Retry
    from twinforge.registry.uploads import Uploads

__all__ = ["Promotion", "promote_to_all"]

STAGE = "promote"
ASKING = 8
JOBS = 3


@dataclass(frozen=True, slots=True)
class Promotion:
    """An image of a release: what it is called, and the digest of its manifest."""

    item: PushItem
    digest: Digest


def promote_to_all(  # noqa: PLR0913 - what a promotion needs, all by keyword
    promotions: Sequence[Promotion],
    source: Target,
    targets: Sequence[Target],
    *,
    listener: Listener,
    ca_bundle: Path | None = None,
    proxy: Callable[[str], str] = lambda _: "",
    jobs: int = JOBS,
    retry: Retry | None = None,
    gate: Gate | None = None,
    uploads: Uploads | None = None,
) -> tuple[Pushed, ...]:
    """Bring images to every target, and move no alias anywhere before all are in and verified.

    Args:
        promotions: The images of a release.
        source: The repository that has them.
        targets: Repositories; they must exist.
        listener: Told of what happens, from several threads.
        ca_bundle: Certificates to trust instead of the system's.
        proxy: Gives the address of the proxy for a host, or an empty string.
        jobs: How many blobs may be copied at once.
        retry: How patiently; Retry() when None.
        gate: Asked when everything is in and verified, before the aliases move.
        uploads: What was begun earlier and not finished, and where this run remembers its own.

    Returns:
        What is in the targets now: by target, and within one by image.

    Raises:
        ContentConflictError: A tag that must not move is taken by other content; nothing was written.
        RegistryRefusedError: A registry gave a definite "no".
        RegistryError: A registry failed again and again, or the source lacks an image.
    """
    items = [one.item for one in promotions]
    check_names(items)
    with ExitStack() as stack:
        asking = stack.enter_context(ThreadPoolExecutor(ASKING, thread_name_prefix="ask"))
        copying = stack.enter_context(ThreadPoolExecutor(jobs, thread_name_prefix="copy"))

        def reach(target: Target, *, read_only: bool) -> RegistryClient:
            return stack.enter_context(
                connect(
                    target.address or target.repository.host,
                    target.credentials,
                    ca_bundle=ca_bundle,
                    proxy=proxy(target.address or target.repository.host),
                    retry=retry,
                    renew=target.renew,
                    read_only=read_only,
                    resumes=not is_ecr(target.repository.host),
                )
            )

        origin = _Origin(source, reach(source, read_only=True), uploads)
        clients = [reach(target, read_only=False) for target in targets]
        found = gather([asking.submit(origin.read, one) for one in promotions])
        held = iter(
            gather(
                [
                    asking.submit(_look, client, target, one, stored)
                    for target, client in zip(targets, clients, strict=True)
                    for one, stored in zip(promotions, found, strict=True)
                ]
            )
        )
        destinations = [
            Destination(target, client, {item.image_id: next(held) for item in items})
            for target, client in zip(targets, clients, strict=True)
        ]
        for item in items:
            listener(Event(STAGE, item.variant.id, State.STARTED, source.repository.name))
        copies = [
            copying.submit(origin.bring, blob, destination, listener)
            for destination in destinations
            for blob in _blobs(destination, items)
        ]
        try:
            gather(copies)
        except BaseException:
            origin.stop(copies)
            raise
        publications = [
            Publication(destination, item, {}) for destination in destinations for item in items
        ]
        done = publish_all(publications, asking, gate)
    for item, result in zip([*items] * len(targets), done, strict=True):
        state = State.SKIPPED if result.already else State.DONE
        text = f"{result.repository}@{result.digest}"
        listener(Event(STAGE, item.variant.id, state, text))
    return done


class _Origin:
    """The repository that a release comes from."""

    def __init__(self, source: Target, client: RegistryClient, uploads: Uploads | None) -> None:
        self._source = source
        self._client = client
        self._uploads = uploads
        self._stopped = threading.Event()
        self._repository = source.repository.repository

    def read(self, promotion: Promotion) -> StoredManifest:
        """Return the manifest of an image, checked against what was released."""
        name = f"{self._source.repository.name}@{promotion.digest}"
        stored = self._client.read_manifest(self._repository, str(promotion.digest))
        if stored is None or stored.digest != promotion.digest:
            message = f"'{name}' was released, and the registry does not have it"
            hint = "push it again, or see what the repository's lifecycle policy deletes"
            raise RegistryError(message, hint=hint)
        manifest = parse_manifest(stored.body, stored.media_type)
        if manifest is None or {stored.media_type, manifest.media_type} != {MANIFEST_TYPE}:
            message = f"'{name}' is a {stored.media_type}, and SageMaker takes {MANIFEST_TYPE}"
            raise RegistryError(message)
        if manifest.config.digest != promotion.item.digest:
            message = (
                f"'{name}' has the image {manifest.config.digest}, and {promotion.item.image_id} "
                "was released"
            )
            raise RegistryError(message)
        return stored

    def bring(self, blob: Blob, destination: Destination, listener: Listener) -> None:
        """Let a repository have a blob: it has it, it shares it, or it gets a copy."""
        client, repository = destination.client, destination.repository
        if client.blob_size(repository, blob.digest) == blob.size_bytes:
            return
        if self._is_neighbour(destination) and client.mount_blob(
            repository, blob.digest, self._repository
        ):
            return
        destination.sent[blob.digest] = client.upload_blob(
            repository,
            blob.digest,
            blob.size_bytes,
            lambda offset: self._read(blob, offset),
            self._uploads,
        )
        text = f"copied {blob.digest} to {destination.target.repository.name}"
        size = blob.size_bytes
        listener(Event(STAGE, destination.host, State.PROGRESS, text, size, size, "bytes"))

    def _read(self, blob: Blob, offset: int) -> Iterator[bytes]:
        for chunk in self._client.open_blob(self._repository, blob.digest, offset):
            if self._stopped.is_set():
                message = "the promotion was stopped"
                raise StoppedError(message)
            yield chunk

    def stop(self, copies: Sequence[Future[None]]) -> None:
        """End what is being copied in good order, so that the next run can go on there."""
        self._stopped.set()
        for copy in copies:
            copy.cancel()
        wait(copies, STOPPING_S)

    def _is_neighbour(self, destination: Destination) -> bool:
        ours, theirs = self._source, destination.target
        same_host = ours.repository.host == theirs.repository.host
        return (
            same_host
            and ours.address == theirs.address
            and destination.repository != (self._repository)
        )


def _look(
    client: RegistryClient, target: Target, promotion: Promotion, stored: StoredManifest
) -> Held:
    """Return which tags of a target have the image already."""
    item, repository = promotion.item, target.repository.repository
    holding: set[str] = set()
    for tag in item.tags:
        there = client.read_manifest(repository, tag)
        if there is None:
            continue
        if there.digest != stored.digest:
            message = (
                f"'{target.repository.name}:{tag}' is taken: it holds {there.digest}, "
                f"and '{item.variant.id}' was released as {stored.digest}"
            )
            hint = "a released tag never moves: raise the recipe's version"
            raise ContentConflictError(message, hint=hint)
        holding.add(tag)
    manifest = parse_manifest(stored.body, stored.media_type)
    return Held(stored, manifest, frozenset(holding), ())


def _blobs(destination: Destination, items: Sequence[PushItem]) -> list[Blob]:
    """Return what the images that a target lacks are made of, each once."""
    blobs: dict[Digest, Blob] = {}
    for item in items:
        held = destination.held[item.image_id]
        if held.manifest is None or held.tags:  # a manifest is there only with all of its blobs
            continue
        manifest: Manifest = held.manifest
        blobs |= {blob.digest: blob for blob in (manifest.config, *manifest.layers)}
    return list(blobs.values())
