"""A push of what was pushed before: what the last one found out is not worked out again.

Reading the project takes longer than asking a registry, so a push leaves a note of what it brought
where (:mod:`twinforge.api.recall`). As long as nothing has changed here, and the registry still has
every image under every tag and alias, a push has nothing to do. The note is never believed about
the registry: every manifest is read and compared. Where anything differs, the whole way is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twinforge.api.recall import inputs_of, read_note, state_of, write_note
from twinforge.api.surroundings import proxy_of, stored_credentials, trusted_bundle
from twinforge.errors import TwinforgeError
from twinforge.events import Event, State
from twinforge.model.reference import Digest, Reference
from twinforge.registry.confirm import Arrived, still_holds
from twinforge.registry.items import Pushed
from twinforge.registry.oci import connect
from twinforge.registry.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from twinforge.api.pushing import RecipePush
    from twinforge.api.workspace import Workspace
    from twinforge.events import Listener
    from twinforge.registry.credentials import Credentials

__all__ = ["Question", "Watch", "recall_push"]

_NOTE = "pushed.json"
_STAGE = "push"


@dataclass(frozen=True, slots=True)
class Question:
    """What a push was asked for.

    Attributes:
        selectors: As they were given.
        registry: ``host[/path]`` instead of the matrix's, or empty.
        to: The name of a registry of the matrix, or empty for the first.
    """

    selectors: tuple[str, ...]
    registry: str
    to: str

    @property
    def as_json(self) -> dict[str, object]:
        """As a note has it."""
        return {"selectors": list(self.selectors), "registry": self.registry, "to": self.to}


class Watch:
    """Begun when a push has decided what goes where, to be sure at its end that this still holds."""

    def __init__(self, workspace: Workspace, parts: Sequence[RecipePush]) -> None:
        self._workspace = workspace
        self._parts = parts
        nodes = [node for part in parts for node in part.nodes]
        self._inputs = inputs_of(workspace, (node.variant for node in nodes))
        self._state = self._now()

    def _now(self) -> str:
        return state_of(self._workspace.root, self._workspace.environ, self._inputs)

    def remember(self, question: Question, pushed: Sequence[Pushed]) -> None:
        """Leave the note for :func:`recall_push`, unless a file was changed during the push.

        Args:
            question: What was asked for.
            pushed: Everything that is in the registry now, part by part.
        """
        if self._now() != self._state:
            return
        named = [(part, item) for part in self._parts for item in part.items]
        rows = [
            {
                "variant": item.variant.id,
                "slug": one.slug,
                "image": item.image_id,
                "repository": one.repository,
                "digest": str(one.digest),
                "tags": list(one.tags),
                "aliases": list(one.aliases),
                "bytes_total": one.bytes_total,
                "layers_total": one.layers_total,
            }
            for (_, item), one in zip(named, pushed, strict=True)
        ]
        write_note(
            self._workspace,
            _NOTE,
            question.as_json,
            inputs=[*self._inputs, *(part.release for part in self._parts)],
            images={item.reference_local: item.image_id for _, item in named},
            answer={"rows": rows},
        )


def recall_push(
    root: Path,
    environ: Mapping[str, str],
    question: Question,
    login: Credentials | None,
    listener: Listener,
) -> tuple[Pushed, ...] | None:
    """Return what a push now would end with, if everything is where the last one left it, else None.

    Args:
        root: The project's folder.
        environ: As the whole way would see it.
        question: What is asked for.
        login: Who we are; None for what ``docker login`` stored.
        listener: Told of each image that is there.
    """
    try:
        answer = read_note(root, environ, _NOTE, question.as_json)
        rows: list[dict[str, Any]] = answer["rows"] if answer else []
        names = [Reference.parse(row["repository"]) for row in rows]
        hosts = {name.host for name in names}
        if len(hosts) != 1:
            return None
        (host,) = hosts
        with connect(
            host,
            login or stored_credentials(environ, host),
            ca_bundle=trusted_bundle(environ),
            proxy=proxy_of(environ, host),
            retry=Retry(attempts=1),  # what fails is tried again on the whole way
        ) as client:
            images = [
                Arrived(
                    name.repository,
                    Digest.parse(row["image"]),
                    Digest.parse(row["digest"]),
                    (*row["tags"], *row["aliases"]),
                )
                for row, name in zip(rows, names, strict=True)
            ]
            if not still_holds(client, images):
                return None
        found = tuple(_pushed(row) for row in rows)
    except (OSError, ValueError, KeyError, TypeError, TwinforgeError):
        return None
    for row, one in zip(rows, found, strict=True):
        text = f"{one.repository}@{one.digest}"
        total = one.bytes_total
        listener(Event(_STAGE, row["variant"], State.SKIPPED, text, 0, total, "bytes"))
    return found


def _pushed(row: Mapping[str, Any]) -> Pushed:
    return Pushed(
        slug=row["slug"],
        repository=row["repository"],
        digest=Digest.parse(row["digest"]),
        tags=tuple(row["tags"]),
        aliases=tuple(row["aliases"]),
        bytes_sent=0,
        bytes_total=row["bytes_total"],
        layers_sent=0,
        layers_total=row["layers_total"],
        already=True,
    )
