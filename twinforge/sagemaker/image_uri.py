"""``twinforge.image_uri``: the answer of ``twinforge select`` for programs.

Argument names are those of ``sagemaker.image_uris.retrieve``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from twinforge.errors import UsageError
from twinforge.registry.releases import read_release
from twinforge.sagemaker.select import Origin, Wish, select_variant

if TYPE_CHECKING:
    from twinforge.compat.facts import Use

__all__ = ["image_uri"]

_USES: dict[str, Use] = {"inference": "hosting", "training": "training"}
_PY_VERSION = re.compile(r"py([0-9])([0-9]+)")


def image_uri(  # noqa: PLR0913 - the arguments of sagemaker.image_uris.retrieve, by keyword
    recipe: str,
    *,
    instance_type: str,
    region: str | None = None,
    image_scope: Literal["inference", "training"] = "inference",
    py_version: str | None = None,
    accelerator: str | None = None,
    project: str | Path = ".",
    digest: bool = True,
) -> str:
    """Return the released image of a recipe for an instance type.

    Args:
        recipe: The recipe's name.
        instance_type: Where it runs, such as ``ml.m4.xlarge``.
        region: The AWS region; may be left out when the image is in one place only.
        image_scope: ``inference`` or ``training``.
        py_version: ``py311`` or ``3.11``, where the release has several.
        accelerator: One of the matrix, such as ``cpu``, to insist on it.
        project: The folder with ``releases/``.
        digest: Pin it by digest; else its version tag.

    Raises:
        UsageError: Nothing of that name was released, or the arguments match none of it.
        UnknownError: There is no data on the instance type.
        ImpossibleError: Nothing that was released works there.
    """
    if image_scope not in _USES:
        message = f"'{image_scope}' is not an image scope ('inference' or 'training')"
        raise UsageError(message)
    release = read_release(Path(project), recipe)
    if release is None:
        message = f"nothing of the recipe '{recipe}' was released"
        raise UsageError(message, hint=f"push it first: twinforge push {recipe}")
    values = {}
    if py_version:
        short = _PY_VERSION.fullmatch(py_version)
        values["python"] = f"{short[1]}.{short[2]}" if short else py_version
    selected = select_variant(
        release,
        instance_type,
        use=_USES[image_scope],
        origin=Origin(region or ""),
        wish=Wish(accelerator=accelerator or "", values=values),
    )
    return str(selected.pinned if digest else selected.reference)
