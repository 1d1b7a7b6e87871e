"""Variants as the matrix of a workflow of GitHub Actions. Pure.

Source: https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax
(``jobs.<job_id>.strategy.matrix``: at most 256 jobs; ``include`` adds combinations).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from twinforge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twinforge.model.variant import Variant

__all__ = ["MAX_JOBS", "workflow_matrix"]

MAX_JOBS = 256


def workflow_matrix(variants: Sequence[Variant], groups: Mapping[str, Sequence[str]]) -> str:
    """Return ``{"include": [...]}`` in one line, as ``fromJSON`` takes it from a step's output.

    Each entry holds texts only: ``variant``, ``recipe``, ``tag``, ``groups`` (with blanks between)
    and the variant's axes, derived ones too. Without variants the list is empty: a workflow asks
    for that before it uses the matrix, which GitHub would refuse.

    Raises:
        UsageError: There are more variants than a workflow may have jobs, or an axis has a name
            that an entry has for something else.
    """
    if len(variants) > MAX_JOBS:
        message = f"{len(variants)} variants are more than the {MAX_JOBS} jobs of a workflow matrix"
        hint = "select fewer, such as one recipe or a group with `sample: pairwise`"
        raise UsageError(message, hint=hint)
    entries = [_entry(variant, groups.get(variant.id, ())) for variant in variants]
    return json.dumps({"include": entries}, ensure_ascii=True, separators=(",", ":"))


def _entry(variant: Variant, groups: Sequence[str]) -> dict[str, str]:
    own = {
        "variant": variant.id,
        "recipe": variant.recipe,
        "tag": variant.tag,
        "groups": " ".join(groups),
    }
    for axis, value in (*variant.values, *variant.derived):
        if axis in own:
            message = (
                f"the axis '{axis}' can't be in a workflow matrix, where it means the variant's"
            )
            raise UsageError(message, hint="give the axis another name")
        own[axis] = value
    return own
