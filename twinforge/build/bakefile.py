"""The same builds as a file that ``docker buildx bake`` reads. Pure.

Source: https://docs.docker.com/build/bake/reference/
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from twinforge.build.buildkit import secret_field

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twinforge.build.buildkit import BuildSpec

__all__ = ["bake_file"]

_NO_ATTESTATIONS = ["type=provenance,disabled=true", "type=sbom,disabled=true"]


def bake_file(specs: Iterable[BuildSpec]) -> dict[str, object]:
    """Return the content of a bake file in JSON: a target for each build, in the group ``default``.

    Targets are named as the variants are, with ``_`` for what a target's name can't hold.
    """
    targets: dict[str, object] = {}
    for spec in specs:
        targets[_target_name(spec.name, targets)] = _target(spec)
    return {"group": {"default": {"targets": list(targets)}}, "target": targets}


def _target(spec: BuildSpec) -> dict[str, object]:
    return {
        "description": _literal(spec.name),
        "context": _literal(str(spec.folder)),
        "dockerfile": "Dockerfile",
        "contexts": {name: _literal(value) for name, value in spec.contexts.items()},
        "args": {"SOURCE_DATE_EPOCH": str(spec.epoch)},
        "labels": {name: _literal(value) for name, value in spec.labels.items()},
        "tags": list(spec.tags),
        "secret": [_literal(secret_field(name, file)) for name, file in spec.secrets.items()],
        "platforms": [spec.platform],
        "attest": _NO_ATTESTATIONS,
        "output": ["type=docker"],
    }


def _target_name(variant: str, taken: Iterable[str]) -> str:
    name = base = re.sub(r"[^A-Za-z0-9_-]", "_", variant)
    number = 1
    while name in taken:
        number += 1
        name = f"{base}_{number}"
    return name


def _literal(text: str) -> str:
    """Return a text that bake takes as it is: it would look for variables in it."""
    return text.replace("${", "$${").replace("%{", "%%{")
