"""What ``push`` and ``promote`` print: where each image is now, and what was sent for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinforge.report.tables import Column, render_table
from twinforge.report.text import human_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinforge.cli.session import Session
    from twinforge.registry.items import Pushed

__all__ = ["show_pushed"]


def show_pushed(session: Session, pushed: Sequence[Pushed], *, as_json: bool) -> None:
    """Print images that are in a registry, verified."""
    if as_json:
        session.show_json([_json(one) for one in pushed])
        return
    columns = (
        Column("variant"),
        Column("repository"),
        Column("digest"),
        Column("sent", is_number=True),
        Column("of", is_number=True),
        Column("aliases"),
    )
    rows = [
        [
            one.slug,
            one.repository,
            str(one.digest)[:19],
            "already there" if one.already else human_bytes(one.bytes_sent),
            human_bytes(one.bytes_total),
            " ".join(one.aliases),
        ]
        for one in pushed
    ]
    session.show(render_table(rows, columns, style=session.style))


def _json(one: Pushed) -> dict[str, object]:
    return {
        "variant": one.slug,
        "repository": one.repository,
        "digest": str(one.digest),
        "tags": list(one.tags),
        "aliases": list(one.aliases),
        "bytes_sent": one.bytes_sent,
        "bytes_total": one.bytes_total,
        "layers_sent": one.layers_sent,
        "layers_total": one.layers_total,
        "already": one.already,
    }
