"""The order of a push: look, blobs, manifests, verify, and only then the aliases, all together.

So a push that is killed anywhere leaves every alias on a whole release, and running it again goes
on where it was.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

from twinforge.errors import RegistryError
from twinforge.events import Event, State
from twinforge.model.reference import Digest
from twinforge.registry.destination import Destination
from twinforge.registry.gather import gather
from twinforge.registry.look import check_names, look
from twinforge.registry.oci import connect
from twinforge.registry.publish import Publication, publish_all
from twinforge.registry.scratch import scratch_folder
from twinforge.registry.transfer import Transfer
from twinforge.registry.upload import is_ecr

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from twinforge.events import Listener
    from twinforge.registry.cache import BlobCache
    from twinforge.registry.items import ImageSource, Pushed, PushItem, Target
    from twinforge.registry.publish import Gate
    from twinforge.registry.retry import Retry
    from twinforge.registry.uploads import Uploads

__all__ = ["push_to_all"]

STAGE = "push"
ASKING = 8
JOBS = 3


def push_to_all(  # noqa: PLR0913 - what a push needs, all by keyword
    items: Sequence[PushItem],
    targets: Sequence[Target],
    *,
    source: ImageSource,
    cache: BlobCache,
    work_dir: Path,
    listener: Listener,
    ca_bundle: Path | None = None,
    proxy: Callable[[str], str] = lambda _: "",
    jobs: int = JOBS,
    retry: Retry | None = None,
    gate: Gate | None = None,
    uploads: Uploads | None = None,
) -> tuple[Pushed, ...]:
    """Push images to every target, and move no alias anywhere before all are in and verified.

    Content that is there is not sent, and not even read from the engine. A layer is saved and
    compressed once, however many images and targets want it.

    Args:
        items: The images, in their order; the same for every target.
        targets: Repositories; they must exist.
        source: Where the images are.
        cache: What earlier pushes learned.
        work_dir: An existing folder with room for the compressed layers; it is left as it was.
        listener: Told of what happens, from several threads.
        ca_bundle: Certificates to trust instead of the system's.
        proxy: Gives the address of the proxy for a host, or an empty string.
        jobs: How many layers may be uploaded at once.
        retry: How patiently; Retry() when None.
        gate: Asked when everything is in and verified, before the aliases move.
        uploads: What earlier pushes began and did not finish, and where this one remembers its own.

    Returns:
        What is in the registries now: by target, and within one by item.

    Raises:
        ContentConflictError: A tag that must not move is taken by other content; nothing was written.
        RegistryRefusedError: A registry gave a definite "no".
        RegistryError: A registry failed again and again, or holds something else than was sent.
    """
    check_names(items)
    with ExitStack() as stack:
        folder = stack.enter_context(scratch_folder(work_dir))
        asking = stack.enter_context(ThreadPoolExecutor(ASKING, thread_name_prefix="ask"))
        clients = [
            stack.enter_context(
                connect(
                    target.address or target.repository.host,
                    target.credentials,
                    ca_bundle=ca_bundle,
                    proxy=proxy(target.address or target.repository.host),
                    retry=retry,
                    renew=target.renew,
                    resumes=not is_ecr(target.repository.host),
                )
            )
            for target in targets
        ]
        held = gather(
            [
                asking.submit(
                    look, client, target.repository.repository, target.repository.name, item
                )
                for target, client in zip(targets, clients, strict=True)
                for item in items
            ]
        )
        found = iter(held)
        destinations = [
            Destination(target, client, {item.image_id: next(found) for item in items})
            for target, client in zip(targets, clients, strict=True)
        ]
        for item in items:
            listener(Event(STAGE, item.variant.id, State.STARTED, item.reference_local))
        layers = _layers(items, destinations, source)
        wanted = [item for item in items if item.image_id in layers]
        if wanted:
            progress = _progress(wanted, layers, listener)
            try:
                Transfer(
                    layers=layers,
                    source=source,
                    cache=cache,
                    work_dir=folder,
                    progress=progress,
                    asking=asking,
                    jobs=jobs,
                    uploads=uploads,
                ).run(wanted, destinations)
            finally:
                cache.save()
        releases = [
            Publication(destination, item, layers) for destination in destinations for item in items
        ]
        pushed = publish_all(releases, asking, gate)
    for item, result in zip([*items] * len(targets), pushed, strict=True):
        state = State.SKIPPED if result.already else State.DONE
        text = f"{result.repository}@{result.digest}"
        total = result.bytes_total
        listener(Event(STAGE, item.variant.id, state, text, result.bytes_sent, total, "bytes"))
    return pushed


def _layers(
    items: Sequence[PushItem], destinations: Sequence[Destination], source: ImageSource
) -> dict[str, tuple[Digest, ...]]:
    """Return the diff ids of the images that some destination lacks, by image id."""
    layers: dict[str, tuple[Digest, ...]] = {}
    for item in items:
        if all(place.held[item.image_id].stored is not None for place in destinations):
            continue
        image = source.inspect(item.image_id)
        if image is None or image.id != item.image_id:
            message = f"the engine has no image {item.image_id} ('{item.reference_local}') any more"
            raise RegistryError(message, hint=f"build '{item.variant.id}' and smoke it again")
        layers[item.image_id] = tuple(Digest.parse(layer) for layer in image.layers)
    return layers


def _progress(
    items: Sequence[PushItem], layers: Mapping[str, tuple[Digest, ...]], listener: Listener
) -> Callable[[Digest, int], None]:
    owners: dict[Digest, str] = {}
    for item in items:
        for layer in layers[item.image_id]:
            owners.setdefault(layer, item.variant.id)
    done: dict[str, dict[Digest, int]] = {owner: {} for owner in owners.values()}
    lock = threading.Lock()

    def tell(layer: Digest, sent: int) -> None:
        owner = owners[layer]
        with lock:
            done[owner][layer] = sent
            total = sum(done[owner].values())
        listener(Event(STAGE, owner, State.PROGRESS, done=total, unit="bytes"))

    return tell
