"""A push or promotion of one large layer in a process of its own, to be ended in the middle of it.

``python -m tests.engine.resume_child < order.json``; it says when it was told to stop, and stops as
the program does.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.tiny_images import TinyImages, push_item
from twinforge.events import ignore
from twinforge.model.reference import Digest, Reference
from twinforge.registry.cache import BlobCache
from twinforge.registry.credentials import Credentials
from twinforge.registry.items import Pushed, Target
from twinforge.registry.promote import Promotion, promote_to_all
from twinforge.registry.push import push_to_all
from twinforge.registry.uploads import Uploads

if TYPE_CHECKING:
    from types import FrameType

LAYER_BYTES = 28 << 20


def run(order: dict[str, str]) -> Pushed:
    """Push the image, the same one every time, or promote it to where it would be pushed.

    An order that names a ``source`` is a promotion.
    """
    folder, images = Path(order["folder"]), TinyImages()
    item = push_item(images.add(random.Random(7).randbytes(LAYER_BYTES)), "cpu")
    name = Reference(order.get("name") or order["host"], order["repository"])
    who = Credentials(order["username"], order["password"])
    target = Target(name, who, order["host"])
    if order.get("source"):
        (pushed,) = promote_to_all(
            [Promotion(item, Digest.parse(order["digest"]))],
            Target(Reference.parse(order["source"]), who),
            [target],
            listener=ignore,
            uploads=Uploads(folder / "uploads"),
        )
        return pushed
    (pushed,) = push_to_all(
        [item],
        [target],
        source=images,
        cache=BlobCache(folder / "blobs.json"),
        work_dir=folder,
        listener=ignore,
        uploads=Uploads(folder / "uploads"),
    )
    return pushed


def _stop(number: int, frame: FrameType | None) -> None:
    del number, frame
    os.write(1, b"stopping\n")
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    try:
        run(json.load(sys.stdin))
    except KeyboardInterrupt:
        sys.exit(130)
