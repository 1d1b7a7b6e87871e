"""What is asked of an image, as one digest, and whether an image has passed just that."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from twinforge.model.rules import applies

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twinforge.api.workspace import Workspace
    from twinforge.build.ledger import Smoked
    from twinforge.build.plan import Node
    from twinforge.model.recipe import Override, Recipe
    from twinforge.model.variant import Variant

__all__ = ["checks_digest", "checks_digests", "smoked"]

_CHECKS_VERSION = 2
"""Goes up when images must be smoked again because the checks themselves changed."""


def checks_digest(
    workspace: Workspace, recipe: Recipe, serves: Iterable[tuple[str, str]] = ()
) -> str:
    """Return the digest of all that is asked of an image: the checks and the files they use.

    Args:
        workspace: The project.
        recipe: The variant's own.
        serves: Use and type of the instances on which the image has to run.
    """
    smoke_spec = recipe.smoke
    paths = [case.body for case in smoke_spec.invocations]
    paths += [case.labels for case in smoke_spec.invocations if case.labels]
    paths += list(smoke_spec.train.channels.values()) if smoke_spec.train else []
    files = {}
    for name in sorted(set(paths)):
        path = workspace.root / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                relative = file.relative_to(workspace.root).as_posix()
                files[relative] = hashlib.sha256(file.read_bytes()).hexdigest()
    document = {
        "version": _CHECKS_VERSION,
        "smoke": asdict(smoke_spec),
        "files": files,
        "serves": sorted(serves),
    }
    text = json.dumps(document, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def checks_digests(workspace: Workspace, variants: Iterable[Variant]) -> dict[str, str]:
    """Return the digest of what is asked of each variant's image, by the variant's id."""
    known: dict[tuple[str, tuple[Override, ...], tuple[tuple[str, str], ...]], str] = {}
    digests = {}
    for variant in variants:
        matrix = workspace.project.matrix
        serves = tuple((r.use, r.instance) for r in matrix.serves if applies(r, variant.words))
        same = (variant.recipe, variant.overrides, serves)
        if same not in known:
            recipe = workspace.project.recipe_for(variant)
            known[same] = checks_digest(workspace, recipe, serves)
        digests[variant.id] = known[same]
    return digests


def smoked(workspace: Workspace, node: Node, checks: str) -> Smoked | None:
    """Return the outcome of just these checks on just this image, if there is one."""
    outcome = workspace.ledger.smoked.get(node.image_id)
    return outcome if outcome is not None and outcome.checks == checks else None
