"""``matrix.yaml`` as pydantic models: its keys and the form of each value.

What needs more than one field to judge is checked in ``check_matrix`` and its like, so that one
wrong field does not hide another.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema, field_validator

from twinforge.model.fields import (
    AptText,
    AxisName,
    AxisValue,
    Component,
    CudaLibraryName,
    CudaVersion,
    GroupName,
    ImageText,
    InstanceName,
    Line,
    Snapshot,
    Suite,
)
from twinforge.model.part import AXES, Part
from twinforge.model.recipe_file import OverridePart
from twinforge.model.registry_file import RegistriesPart

__all__ = ["AcceleratorPart", "BasePart", "DerivePart", "MatrixFile", "RuleValues", "ServedUse"]


class BasePart(Part):
    """What a Dockerfile's FROM names: either `image` or `bootstrap`."""

    image: ImageText | None = Field(default=None, description="An image of a registry.")
    bootstrap: Suite | None = Field(
        default=None, description="A suite that the base is made from, such as `bookworm`."
    )
    snapshot: Snapshot | None = Field(
        default=None, description="The date of the distribution's dated archive (bootstrap only)."
    )
    components: tuple[Component, ...] = Field(
        default=(),
        description="Components of the distribution's archive, such as `[main, non-free]`, where "
        "those that are usual are not enough (bootstrap only).",
    )
    packages: tuple[AptText, ...] = Field(
        default=(), description="Debian packages of the base (bootstrap only)."
    )
    os: AxisValue | None = Field(
        default=None,
        description="The value of the axis `os` that it serves; its own name if not given.",
    )
    cuda: CudaVersion | None = Field(
        default=None, description="The version of CUDA that the image brings (image only)."
    )


class AcceleratorPart(Part):
    """A value of the axis `accelerator`; without `cuda` it is a CPU."""

    cuda: CudaVersion | None = Field(default=None, description="The version of CUDA.")
    cudnn: AxisValue | None = Field(default=None, description="The version of cuDNN.")
    packages: tuple[AptText, ...] = Field(
        default=(), description="Debian packages with the pins of CUDA and cuDNN."
    )
    libraries: tuple[CudaLibraryName, ...] = Field(
        default=(),
        description="Libraries of CUDA, beside those that a recipe asks for; `lock` knows their "
        "packages.",
    )


RuleValues = dict[Line, Line]


class DerivePart(Part):
    """A value that follows from those of other axes."""

    sources: Annotated[
        tuple[Line, ...],
        WithJsonSchema(
            {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
        ),
    ] = Field(alias="from", description="The axis, or the axes, that it follows from.")
    values: dict[Line, AxisValue] = Field(
        alias="map",
        description="Their value (several joined by `/`) and the value that follows.",
    )
    default: AxisValue | None = Field(
        default=None, description="The value for all that the map does not name."
    )

    @field_validator("sources", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


ServedUse = Literal["hosting", "processing", "training", "transform"]


class MatrixFile(Part):
    """The matrix of Twinforge: for what images are built."""

    bases: dict[AxisValue, BasePart] = Field(description="What images start from, by name.")
    accelerators: dict[AxisValue, AcceleratorPart] = Field(
        description="The values of the axis `accelerator`."
    )
    axes: dict[AxisName, tuple[AxisValue, ...]] = Field(
        description=f"{AXES}: accelerator, os, python and your own.",
        json_schema_extra={"required": ["accelerator", "os", "python"]},
    )
    derive: dict[AxisName, DerivePart] = Field(
        default={}, description="Values that follow from axes: for rules, not for tags."
    )
    exclude: tuple[RuleValues, ...] = Field(
        default=(),
        description="Axis values (and `recipe`, `when`) of variants that are not built.",
    )
    include: tuple[RuleValues, ...] = Field(
        default=(),
        description="Axis values (and `recipe`, `when`) of variants that are built beside those "
        "of the axes, whatever is excluded; an axis that is left out stands for all its values.",
    )
    overrides: tuple[OverridePart, ...] = Field(
        default=(),
        description="What is different for some variants of any recipe; a recipe's own win.",
    )
    groups: dict[GroupName, RuleValues] = Field(
        default={},
        description="Named selections, by axis values (and `recipe`, `when`); with `sample: "
        "pairwise` so few of them that each pair of values is in one.",
    )
    aliases: dict[Line, RuleValues] = Field(
        default={},
        description="Moving tags (with {version}, {major}, {minor} and axis names in braces), "
        "each with the axis values (and `recipe`, `when`) of the variant that it points to.",
    )
    serves: dict[ServedUse, dict[InstanceName, RuleValues]] = Field(
        default={},
        description="What images are run for, the instance types, and the axis values (and "
        "`recipe`, `when`) of the variants that have to run on each: `check` sees to it.",
    )
    registry: RegistriesPart | None = Field(
        default=None,
        description="Where images go: one registry, or several by name; the first is pushed to.",
    )
