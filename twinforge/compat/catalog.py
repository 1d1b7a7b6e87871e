"""All data files that come with Twinforge, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinforge.compat.cudnn_tables import load_cudnn_table
from twinforge.compat.framework_tables import load_framework_table, load_names_table
from twinforge.compat.image_tables import load_image_table
from twinforge.compat.library_tables import load_library_table
from twinforge.compat.tables import load_cuda_table, load_instance_table, load_system_table
from twinforge.compat.wheelless import load_wheelless_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twinforge.compat.tablefile import Table

__all__ = ["data_tables"]


def data_tables() -> Mapping[str, Table]:
    """Return every table by the name of its file, which reads all of them."""
    return {
        "instances.yaml": load_instance_table(),
        "cuda.yaml": load_cuda_table(),
        "cudnn.yaml": load_cudnn_table(),
        "libraries.yaml": load_library_table(),
        "systems.yaml": load_system_table(),
        "images.yaml": load_image_table("images.yaml"),
        "images-rpm.yaml": load_image_table("images-rpm.yaml"),
        "wheelless.yaml": load_wheelless_table(),
        **{
            f"frameworks/{name}.yaml": load_framework_table(name)
            for name in load_names_table().frameworks
        },
    }
