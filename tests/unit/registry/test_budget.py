from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from twinforge.errors import RegistryError
from twinforge.model.matrix import Budget
from twinforge.model.reference import Digest
from twinforge.registry.budget import check_budgets
from twinforge.registry.manifest import Blob, Manifest

GIB, MIB = 1 << 30, 1 << 20
SERVERLESS = Budget("serverless", 10 * GIB)


def arrived(*sizes: int, config: bytes = b"{}", slug: str = "cpu") -> Any:
    layers = tuple(Blob(Digest(f"{n:064}"), size) for n, size in enumerate(sizes))
    manifest = Manifest("", Blob(Digest("c" * 64), 0), layers, gzipped=True)
    client = SimpleNamespace(read_blob=lambda _repository, _digest: config)
    return SimpleNamespace(
        item=SimpleNamespace(image_id=slug, variant=SimpleNamespace(id=f"x/{slug}")),
        place=SimpleNamespace(client=client, repository="ml/x"),
        manifest=manifest,
    )


def test_an_image_of_exactly_the_budget_passes() -> None:
    check_budgets([arrived(4 * GIB, 6 * GIB)], [SERVERLESS])


def test_a_byte_more_is_too_much_and_the_biggest_layers_are_named_by_what_made_them() -> None:
    history = [
        {"created_by": "FROM base"},
        {"created_by": "ENV X=1", "empty_layer": True},
        {"created_by": "COPY  --link /wheels-common /opt/venv"},
        {"created_by": "COPY /program /program"},
        {"created_by": "COPY --link /wheels-device /opt/venv"},
    ]
    config = json.dumps({"history": history}).encode()
    image = arrived(5 * MIB, 4 * GIB, 1, 6 * GIB, config=config)
    with pytest.raises(RegistryError) as caught:
        check_budgets([image, image], [SERVERLESS, Budget("tight", 9 * GIB)])
    assert caught.value.message == (
        "x/cpu has 10.00 GiB, more than the 10.00 GiB of 'serverless' and 9.00 GiB of 'tight'; "
        "its biggest layers are 6.00 GiB 'COPY --link /wheels-device /opt/venv', "
        "4.00 GiB 'COPY --link /wheels-common /opt/venv', 5.0 MiB 'FROM base'"
    )
    assert "aliases were not moved" in caught.value.hint


def test_without_a_history_the_layers_are_named_by_digest() -> None:
    with pytest.raises(RegistryError, match=r"12\.00 GiB sha256:0{64}$"):
        check_budgets([arrived(12 * GIB, config=b"not json")], [SERVERLESS])


def test_every_image_that_is_too_large_is_named() -> None:
    images = [arrived(11 * GIB), arrived(1, slug="small"), arrived(12 * GIB, slug="cuda")]
    with pytest.raises(RegistryError, match=r"x/cpu has .*; x/cuda has ") as caught:
        check_budgets(images, [SERVERLESS])
    assert "small" not in caught.value.message
