"""What is asked of an image, as one digest, and whether an image has passed just that."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from twinforge.model.rules import applies
from twinforge.smoke.rules import load_rules

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twinforge.api.workspace import Workspace
    from twinforge.build.ledger import Smoked
    from twinforge.build.plan import Node
    from twinforge.model.recipe import Recipe
    from twinforge.model.variant import Variant

__all__ = [
    "checks_digest",
    "checks_digests",
    "partners_of",
    "smoked",
]

_CUDA = frozenset({"cuda", "pair"})
"""What applies to variants with CUDA only: it changes nothing for the others."""

_CHECKS_VERSION = 3
"""Goes up when images must be smoked again because the checks themselves changed."""


def checks_digest(
    workspace: Workspace,
    recipe: Recipe,
    *,
    cuda: str = "",
    partner: str = "",
    serves: Iterable[tuple[str, str]] = (),
) -> str:
    """Return the digest of all that is asked of an image: the checks and the files they use.

    Args:
        workspace: Has the files.
        recipe: The variant's own.
        cuda: The variant's CUDA version; empty without.
        partner: The id of the CPU image that the variant's is compared with; empty without.
        serves: Use and type of the instances on which a CUDA variant has to run.
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
    asked = asdict(smoke_spec)
    for change in asked["severities"].values():
        del change["place"]  # a line that moves asks nothing else
    document = {
        "version": _CHECKS_VERSION,
        "rules": [
            (rule.id, rule.severity.value, rule.applies)
            for rule in load_rules()
            if cuda or not _CUDA & set(rule.applies)
        ],
        "smoke": asked,
        "files": files,
        "partner": partner,
        "serves": sorted(serves),
    }
    text = json.dumps(document, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def checks_digests(workspace: Workspace, variants: Iterable[Variant]) -> dict[str, str]:
    """Return the digest of what is asked of each variant's image, by the variant's id."""
    known: dict[tuple[object, ...], str] = {}
    digests = {}
    partners = partners_of(workspace)
    for variant in variants:
        partner = partners.get(variant.id)
        built = workspace.ledger.built.get(partner.id) if partner else None
        cuda, image_id = variant.accelerator.cuda, built.image_id if built else ""
        serves = _served_by(workspace, variant) if cuda else ()
        same = (variant.recipe, variant.overrides, cuda, image_id, serves)
        if same not in known:
            recipe = workspace.project.recipe_for(variant)
            known[same] = checks_digest(
                workspace, recipe, cuda=cuda, partner=image_id, serves=serves
            )
        digests[variant.id] = known[same]
    return digests


def _served_by(workspace: Workspace, variant: Variant) -> tuple[tuple[str, str], ...]:
    serves = workspace.project.matrix.serves
    return tuple((one.use, one.instance) for one in serves if applies(one, variant.words))


def partners_of(workspace: Workspace) -> dict[str, Variant]:
    """Return, by the id of each CUDA variant, the CPU variant that differs in nothing else."""
    cpus = {
        (one.recipe, one.siblings_key): one
        for one in reversed(workspace.project.variants)
        if not one.accelerator.cuda
    }
    return {
        one.id: cpus[one.recipe, one.siblings_key]
        for one in workspace.project.variants
        if one.accelerator.cuda and (one.recipe, one.siblings_key) in cpus
    }


def smoked(workspace: Workspace, node: Node, checks: str) -> Smoked | None:
    """Return the outcome of just these checks on just this image, if there is one."""
    outcome = workspace.ledger.smoked.get(node.image_id)
    return outcome if outcome is not None and outcome.checks == checks else None
