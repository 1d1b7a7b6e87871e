"""A push in a process of its own, to be killed: ``python -m tests.engine.push_child < order.json``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.engine.test_push_faults import NEW
from twinforge.events import ignore
from twinforge.model.reference import Reference
from twinforge.registry.cache import BlobCache
from twinforge.registry.credentials import Credentials
from twinforge.registry.items import Target
from twinforge.registry.push import push_to_all

order = json.load(sys.stdin)
folder = Path(order["folder"])
push_to_all(
    NEW.items,
    [
        Target(
            Reference(order["host"], order["repository"]),
            Credentials(order["username"], order["password"]),
        )
    ],
    source=NEW.images,
    cache=BlobCache(folder / "caches" / order["repository"] / "blobs.json"),
    work_dir=folder,
    listener=ignore,
)
