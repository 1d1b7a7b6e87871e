"""A push of what was pushed before: what the last one found out is not worked out again.

Reading the project takes longer than asking a registry, so a push leaves a note of what it brought
where (:mod:`twinforge.api.recall`). As long as nothing has changed here, and the registry still has
every image under every tag and alias, a push has nothing to do. The note is never believed about
the registry: every manifest is read and compared. Where anything differs, the whole way is gone.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from twinforge.api.recall import inputs_of, read_note, state_of, write_note
from twinforge.api.surroundings import proxy_of, stored_credentials, trusted_bundle
from twinforge.errors import TwinforgeError
from twinforge.events import Event, State
from twinforge.model.reference import Digest, Reference
from twinforge.registry.confirm import Arrived, still_holds
from twinforge.registry.items import AwsAccess, Pushed
from twinforge.registry.oci import connect
from twinforge.registry.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from twinforge.api.pushing import RecipePush
    from twinforge.api.workspace import Workspace
    from twinforge.events import Listener
    from twinforge.registry.credentials import Credentials
    from twinforge.registry.items import PushItem

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
        access: How AWS is reached.
    """

    selectors: tuple[str, ...]
    registry: str
    to: str
    access: AwsAccess = field(default_factory=AwsAccess)

    @property
    def as_json(self) -> dict[str, object]:
        """As a note has it."""
        aws = self.access
        return {
            "selectors": list(self.selectors),
            "registry": self.registry,
            "to": self.to,
            "aws": [aws.profile, aws.endpoint_url, aws.address],
        }


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

    def remember(
        self, question: Question, pushed: Sequence[Pushed], ecr: Mapping[str, tuple[str, str]]
    ) -> None:
        """Leave the note for :func:`recall_push`, unless a file was changed during the push.

        Args:
            question: What was asked for.
            pushed: Everything that is in the registries now: by part, by target, by item.
            ecr: Region and account, as the matrix has them, of each host that is ECR's.
        """
        if self._now() != self._state:
            return
        items = {item.variant.id: item for part in self._parts for item in part.items}
        rows = [
            {
                "variant": item.variant.id,
                "slug": one.slug,
                "image": item.image_id,
                "ecr": ecr.get(Reference.parse(one.repository).host, ()),
                "repository": one.repository,
                "digest": str(one.digest),
                "tags": list(one.tags),
                "aliases": list(one.aliases),
                "bytes_total": one.bytes_total,
                "layers_total": one.layers_total,
            }
            for item, one in zip(self._in_order(pushed), pushed, strict=True)
        ]
        write_note(
            self._workspace,
            _NOTE,
            question.as_json,
            inputs=[*self._inputs, *(part.release for part in self._parts)],
            # By id: under which name the engine has them, a push does not care.
            images={item.image_id: item.image_id for item in items.values()},
            answer={"rows": rows},
        )

    def _in_order(self, pushed: Sequence[Pushed]) -> list[PushItem]:
        """Return the item of each image that was pushed."""
        places = len(pushed) // sum(len(part.items) for part in self._parts)
        return [item for part in self._parts for item in part.items * places]


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
        hosts: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            hosts.setdefault(Reference.parse(row["repository"]).host, []).append(row)
        if not hosts:
            return None
        with ThreadPoolExecutor(len(hosts), thread_name_prefix="registry") as pool:
            answers = [
                pool.submit(_holds, host, there, environ, question.access, login)
                for host, there in hosts.items()
            ]
            if not all(answer.result() for answer in answers):
                return None
        found = tuple(_pushed(row) for row in rows)
    except (OSError, ValueError, KeyError, TypeError, TwinforgeError):
        return None
    for row, one in zip(rows, found, strict=True):
        text = f"{one.repository}@{one.digest}"
        total = one.bytes_total
        listener(Event(_STAGE, row["variant"], State.SKIPPED, text, 0, total, "bytes"))
    return found


def _holds(
    host: str,
    rows: Sequence[Mapping[str, Any]],
    environ: Mapping[str, str],
    access: AwsAccess,
    login: Credentials | None,
) -> bool:
    """Whether a registry has all of this; the credentials of ECR's are AWS's to give."""
    address = host
    ca_bundle = trusted_bundle(environ)
    if rows[0]["ecr"]:
        # boto3 takes longer to import than all else here
        from twinforge.registry.aws import connect_ecr  # noqa: PLC0415
        from twinforge.registry.ecr import fetch_login  # noqa: PLC0415

        region, account = rows[0]["ecr"]
        client = connect_ecr(replace(access, ca_bundle=ca_bundle), region)
        found = fetch_login(client, region, account=account)
        if found.host != host:  # we are somebody else now
            return False
        login, address = found.credentials, access.address or host
    images = [
        Arrived(
            Reference.parse(row["repository"]).repository,
            Digest.parse(row["image"]),
            Digest.parse(row["digest"]),
            (*row["tags"], *row["aliases"]),
        )
        for row in rows
    ]
    with connect(
        address,
        login or stored_credentials(environ, host),
        ca_bundle=ca_bundle,
        proxy=proxy_of(environ, address),
        retry=Retry(attempts=1),  # what fails is tried again on the whole way
    ) as client:
        return still_holds(client, images)


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
