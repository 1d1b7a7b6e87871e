"""The model, as the runtime takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rows  # type: ignore[import-not-found]  # is beside this file

if TYPE_CHECKING:
    from twinforge.runtime import Context


def load(model_dir: str) -> Any:
    """Return the model, which is in no folder."""
    del model_dir
    return rows.predict


def predict(data: Any, context: Context) -> Any:
    """Return the answer to one request."""
    return context.model(data)
