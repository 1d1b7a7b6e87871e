"""A recipe's file as pydantic models: its keys and the form of each value.

What needs more than one field to judge is checked in ``check_recipe`` and its like, so that one
wrong field does not hide another.
"""

from typing import Annotated, Any, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator

from twinforge.model.cuda_file import CudaPart
from twinforge.model.fields import (
    AptText,
    AsWritten,
    AxisName,
    AxisValue,
    Distribution,
    DistributionName,
    EnvName,
    FilePath,
    IndexUrl,
    Line,
    ReleaseVersion,
    RequirementText,
    ResourceName,
    Sentence,
    SpecifierText,
    Step,
)
from twinforge.model.part import AXES, WHEN, Part
from twinforge.model.smoke_file import SmokePart

__all__ = [
    "ConditionalPart",
    "HeirFile",
    "OverridePart",
    "OverridePythonPart",
    "PackagePart",
    "ParityPart",
    "PythonPart",
    "RecipeFile",
    "RuntimePart",
    "ShelvedPart",
    "SystemPart",
    "TwinPart",
]


class TwinPart(Part):
    """One import that comes from another distribution per kind of accelerator, at one version."""

    twin: dict[Line, Distribution] = Field(
        description="The distribution for `cpu` and the one for `cuda`.",
        json_schema_extra={
            "required": ["cpu", "cuda"],
            "propertyNames": {"enum": ["cpu", "cuda"]},
        },
    )
    version: SpecifierText = Field(
        default="", description="A version specifier that both must meet, such as `==3.0.5`."
    )
    when: Line = Field(default="", description=WHEN)


class ConditionalPart(Part):
    """A requirement with a condition, with an index of its own, or with both."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["when"]}, {"required": ["index"]}]}
    )

    package: RequirementText = Field(description="A requirement (PEP 508).")
    when: Line = Field(default="", description=f"{WHEN} All variants where there is none.")
    index: IndexUrl = Field(
        default="",
        description="Where this package comes from and no other: the default index is not asked for "
        "it, nor this one for anything else. Credentials come as secrets.",
    )

    @model_validator(mode="after")
    def _has_more_than_a_requirement(self) -> Self:
        if not self.model_fields_set & {"when", "index"}:
            message = "the key 'when' or the key 'index' is missing"
            raise ValueError(message)
        return self


def _package_tag(value: Any) -> str:
    if isinstance(value, ConditionalPart) or (isinstance(value, dict) and "package" in value):
        return "<conditional>"
    return "<twin>" if isinstance(value, dict | TwinPart) else "<requirement>"


PackagePart = Annotated[
    Annotated[RequirementText, Tag("<requirement>")]
    | Annotated[ConditionalPart, Tag("<conditional>")]
    | Annotated[TwinPart, Tag("<twin>")],
    Discriminator(_package_tag),
]


class PythonPart(Part):
    """The Python packages of every variant."""

    packages: tuple[PackagePart, ...] = Field(
        default=(),
        description="Requirements (PEP 508), twins, and either with a condition; a requirement may "
        "have an index of its own.",
    )
    indexes: tuple[IndexUrl, ...] = Field(
        default=(), description="Indexes beside the default one; credentials come as secrets."
    )
    without: dict[DistributionName, Sentence] = Field(
        default={},
        description="Packages that others ask for and that stay out, each with the reason: "
        "what they hold comes from elsewhere.",
    )


class ParityPart(Part):
    """What may differ between variants that differ only in accelerator."""

    exempt: dict[DistributionName, Sentence] = Field(
        default={}, description="Packages whose version may differ, each with the reason."
    )


class SystemPart(Part):
    """Debian packages, as `name` or `name=version`."""

    packages: tuple[AptText, ...] = Field(default=(), description="For every variant.")
    cuda: tuple[AptText, ...] = Field(default=(), description="For variants with CUDA only.")


class RuntimePart(Part):
    """The user's part of images that Twinforge's own runtime serves and trains in."""

    predictor: FilePath = Field(
        default="", description="A Python file of the project with `load` and `predict`."
    )
    trainer: FilePath = Field(
        default="", description="A Python file with `train`, in the folder of the predictor."
    )


class OverridePythonPart(Part):
    """Python packages that an override adds, or has other versions of."""

    packages: tuple[PackagePart, ...] = Field(
        default=(), description="Requirements (PEP 508) and twins; one replaces its namesake."
    )
    indexes: tuple[IndexUrl, ...] = Field(
        default=(), description="Indexes beside the recipe's, asked after them."
    )


class OverridePart(Part):
    """What is different for the variants that meet a condition."""

    when: Line = Field(description=WHEN)
    env: dict[EnvName, AsWritten] = Field(default={}, description="Environment variables.")
    python: OverridePythonPart = Field(default=OverridePythonPart(), description="Python packages.")
    system: SystemPart = Field(default=SystemPart(), description="Debian packages.")
    cuda: CudaPart = Field(
        default=CudaPart(),
        description="Libraries of CUDA beside the recipe's; `dev`, where it is given, holds instead "
        "of the recipe's.",
    )
    smoke: SmokePart = Field(
        default=SmokePart(), description="Checks; a key that is given replaces the recipe's."
    )


class ShelvedPart(Part):
    """Variants that are kept on record and not made: nothing locks, renders or builds them."""

    when: Line = Field(default="", description=f"{WHEN} All variants where there is none.")
    reason: Sentence = Field(description="Why they can't be made, for `check` and `matrix`.")


class RecipeFile(Part):
    """A recipe of Twinforge: what an image family is."""

    recipe: ResourceName = Field(description="The recipe's name, equal to the file's.")
    extends: ResourceName = Field(
        default="",
        description="A recipe whose keys hold where this one says nothing else; lists and "
        "mappings are joined.",
    )
    version: ReleaseVersion = Field(description="The version of the images; it begins their tags.")
    description: Line = Field(default="", description="One line that says what the images are.")
    python: PythonPart = Field(default=PythonPart(), description="Python packages.")
    parity: ParityPart = Field(default=ParityPart(), description="Exceptions from parity.")
    system: SystemPart = Field(default=SystemPart(), description="Debian packages.")
    cuda: CudaPart = Field(default=CudaPart(), description="Libraries of CUDA variants.")
    steps: tuple[Step, ...] = Field(
        default=(), description="Shell commands for what apt and pip can't give."
    )
    program: FilePath = Field(
        default="",
        description="A folder of the project with the executables `train` and `serve`.",
    )
    runtime: RuntimePart | None = Field(
        default=None,
        description="Instead of a program: Python files for Twinforge's own `train` and `serve`. "
        "Their folder goes into the image.",
    )
    env: dict[EnvName, AsWritten] = Field(
        default={}, description="Environment variables of the image."
    )
    template: FilePath = Field(
        default="", description="A Jinja file that extends the Dockerfile's template."
    )
    smoke: SmokePart = Field(default=SmokePart(), description="Checks of a built image.")
    axes: dict[AxisName, tuple[AxisValue, ...]] = Field(
        default={},
        description=f"{AXES}: instead of the matrix's of the same name, or the recipe's own.",
    )
    overrides: tuple[OverridePart, ...] = Field(
        default=(), description="What is different for some variants; the last one wins."
    )
    shelved: tuple[ShelvedPart, ...] = Field(
        default=(),
        description="Variants that can't be made (any more, or here): `check` goes on to say what "
        "speaks against them, and nothing locks, renders or builds them.",
    )


class HeirFile(RecipeFile):
    """A recipe that extends another one, which says what it leaves out."""

    version: ReleaseVersion = ""
