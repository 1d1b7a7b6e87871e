"""The two kinds of file that people write, as pydantic models: their keys and the form of each value.

What needs more than one field to judge is checked in ``check_recipe`` and ``check_matrix``, so that
one wrong field does not hide another.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    field_validator,
)

from twinforge.model.fields import (
    AccountId,
    AptText,
    AsWritten,
    AxisName,
    AxisValue,
    ByteSize,
    ChannelName,
    CudaVersion,
    Day,
    Distribution,
    DistributionName,
    EnvName,
    FilePath,
    FindingId,
    GroupName,
    Host,
    ImageText,
    IndexUrl,
    InstanceName,
    JsonPointer,
    JsonValue,
    KmsKey,
    Line,
    MediaType,
    Region,
    ReleaseVersion,
    RepositoryName,
    RequirementText,
    ResourceName,
    Sentence,
    Severity,
    Snapshot,
    SpecifierText,
    Step,
    Suite,
    TagText,
)

__all__ = [
    "AcceleratorPart",
    "AccessPart",
    "BasePart",
    "ConditionalPart",
    "DerivePart",
    "FindingPart",
    "HeirFile",
    "InvocationPart",
    "LifecyclePart",
    "MatrixFile",
    "OverridePart",
    "OverridePythonPart",
    "ParityPart",
    "PythonPart",
    "RecipeFile",
    "RegistryPart",
    "ScanPart",
    "SmokePart",
    "SystemPart",
    "TrainPart",
    "TwinPart",
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_null(cls, value: Any) -> Any:
        if value is None:
            message = "nothing stands here; give a value or leave the key out"
            raise ValueError(message)
        return value


_WHEN = "A condition on the variant, such as `cuda >= 12.4 and python < 3.12`."


class TwinPart(_Part):
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
    when: Line = Field(default="", description=_WHEN)


class ConditionalPart(_Part):
    """A requirement of the variants that meet a condition."""

    package: RequirementText = Field(description="A requirement (PEP 508).")
    when: Line = Field(description=_WHEN)


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


class PythonPart(_Part):
    """The Python packages of every variant."""

    packages: tuple[PackagePart, ...] = Field(
        default=(), description="Requirements (PEP 508), twins, and either with a condition."
    )
    indexes: tuple[IndexUrl, ...] = Field(
        default=(), description="Indexes beside the default one; credentials come as secrets."
    )


class ParityPart(_Part):
    """What may differ between variants that differ only in accelerator."""

    exempt: dict[DistributionName, Sentence] = Field(
        default={}, description="Packages whose version may differ, each with the reason."
    )


class SystemPart(_Part):
    """Debian packages, as `name` or `name=version`."""

    packages: tuple[AptText, ...] = Field(default=(), description="For every variant.")
    cuda: tuple[AptText, ...] = Field(default=(), description="For variants with CUDA only.")


class TrainPart(_Part):
    """A training run that a built image must finish."""

    channels: dict[ChannelName, FilePath] = Field(
        default={}, description="Channels and the folders of the project that fill them."
    )
    hyperparameters: dict[Sentence, AsWritten] = Field(
        default={}, description="Passed as strings, as they are written here."
    )


class InvocationPart(_Part):
    """A request that a serving image must answer."""

    content_type: MediaType = Field(description="The Content-Type of the request.")
    body: FilePath = Field(description="The file of the project that is sent.")
    accept: MediaType = Field(
        default="", description="The Accept header; none is sent when it is empty."
    )
    status: int = Field(default=200, ge=100, le=599, description="The HTTP status of the answer.")
    json_values: dict[JsonPointer, JsonValue] = Field(
        default={},
        alias="json",
        description="JSON pointers into the answer and the values that must stand there.",
    )
    labels: FilePath = Field(
        default="", description="A file with a JSON array that the answer must agree with."
    )
    accuracy: float = Field(
        default=1.0, ge=0, le=1, description="The share of the labels that must agree."
    )


class SmokePart(_Part):
    """What a built image must do before it may be pushed."""

    train: TrainPart | None = Field(default=None, description="A training run.")
    invocations: tuple[InvocationPart, ...] = Field(
        default=(), description="Requests, sent in this order."
    )
    startup_s: int = Field(
        default=480, ge=1, le=3600, description="Seconds until `/ping` must answer."
    )


class OverridePythonPart(_Part):
    """Python packages that an override adds, or has other versions of."""

    packages: tuple[PackagePart, ...] = Field(
        default=(), description="Requirements (PEP 508) and twins; one replaces its namesake."
    )


class OverridePart(_Part):
    """What is different for the variants that meet a condition."""

    when: Line = Field(description=_WHEN)
    env: dict[EnvName, AsWritten] = Field(default={}, description="Environment variables.")
    python: OverridePythonPart = Field(default=OverridePythonPart(), description="Python packages.")
    system: SystemPart = Field(default=SystemPart(), description="Debian packages.")
    smoke: SmokePart = Field(
        default=SmokePart(), description="Checks; a key that is given replaces the recipe's."
    )


_AXES = "Axes and their values, in order"


class RecipeFile(_Part):
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
    steps: tuple[Step, ...] = Field(
        default=(), description="Shell commands for what apt and pip can't give."
    )
    program: FilePath = Field(
        description="A folder of the project with the executables `train` and `serve`."
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
        description=f"{_AXES}: instead of the matrix's of the same name, or the recipe's own.",
    )
    overrides: tuple[OverridePart, ...] = Field(
        default=(), description="What is different for some variants; the last one wins."
    )


class HeirFile(RecipeFile):
    """A recipe that extends another one, which says what it leaves out."""

    version: ReleaseVersion = ""
    program: FilePath = ""


class BasePart(_Part):
    """What a Dockerfile's FROM names: either `image` or `bootstrap`."""

    image: ImageText | None = Field(default=None, description="An image of a registry.")
    bootstrap: Suite | None = Field(
        default=None, description="A suite that the base is made from, such as `bookworm`."
    )
    snapshot: Snapshot | None = Field(
        default=None, description="The date of the distribution's dated archive (bootstrap only)."
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


class AcceleratorPart(_Part):
    """A value of the axis `accelerator`; without `cuda` it is a CPU."""

    cuda: CudaVersion | None = Field(default=None, description="The version of CUDA.")
    cudnn: AxisValue | None = Field(default=None, description="The version of cuDNN.")
    packages: tuple[AptText, ...] = Field(
        default=(), description="Debian packages with the pins of CUDA and cuDNN."
    )


class LifecyclePart(_Part):
    """What ECR may delete by itself; never what a release record names."""

    keep_images: int = Field(
        ge=1, le=100_000, description="How many pushed images stay, the newest first."
    )
    untagged_days: int | None = Field(
        default=None, ge=1, le=3650, description="Days that an image without a tag stays."
    )


class AccessPart(_Part):
    """Who may pull, beside the account itself; becomes the repository's policy."""

    sagemaker: bool = Field(default=True, description="Whether SageMaker's service may.")
    accounts: tuple[AccountId, ...] = Field(default=(), description="Other AWS accounts that may.")


class FindingPart(_Part):
    """A finding of the scan that is accepted for a while."""

    id: FindingId = Field(description="The finding's name, such as CVE-2026-1234.")
    reason: Sentence = Field(description="Why it does no harm here.")
    until: Day = Field(description="The last day that it is accepted, as 2026-12-31.")


class ScanPart(_Part):
    """What ECR's scan may find in an image whose aliases move."""

    fail_on: Severity = Field(description="The lowest severity that stops a push.")
    allow: tuple[FindingPart, ...] = Field(default=(), description="Findings that are accepted.")


class RegistryPart(_Part):
    """Where images go."""

    kind: Literal["ecr", "oci"] = Field(description="Amazon ECR, or any registry.")
    host: Host | None = Field(default=None, description="The registry's host (oci only).")
    account: AccountId | None = Field(
        default=None, description="The AWS account (ecr only); the caller's if not given."
    )
    regions: tuple[Region, ...] = Field(default=(), description="The AWS regions (ecr only).")
    repository: RepositoryName = Field(
        description="The repository; `{recipe}` stands for the recipe's name."
    )
    scan_on_push: bool | None = Field(
        default=None, description="Whether ECR scans what is pushed (ecr only; true if not given)."
    )
    kms_key: KmsKey | None = Field(
        default=None,
        description="The KMS key that a new repository is encrypted with (ecr only): its ARN, "
        "an alias, or `aws` for the one that ECR makes.",
    )
    lifecycle: LifecyclePart | None = Field(
        default=None, description="What may be deleted (ecr only); nothing if not given."
    )
    tags: dict[TagText, Line] = Field(
        default={}, description="Resource tags of the repositories (ecr only)."
    )
    access: AccessPart | None = Field(
        default=None, description="Who may pull (ecr only); left as it is if not given."
    )
    scan: ScanPart | None = Field(
        default=None, description="What a scan may find (ecr only); anything if not given."
    )
    budget: dict[GroupName, ByteSize] = Field(
        default={},
        description="The compressed size that no image may exceed, by a name for the limit, "
        "such as `serverless: 10 GiB`.",
    )


def _registry_tag(value: Any) -> str:
    named = isinstance(value, dict) and value and "kind" not in value
    # One without its kind is still one registry: its other keys are no mappings.
    if named and all(isinstance(part, dict | RegistryPart) for part in value.values()):
        return "<named>"
    return "<one>"


RegistriesPart = Annotated[
    Annotated[RegistryPart, Tag("<one>")]
    | Annotated[dict[GroupName, RegistryPart], Tag("<named>")],
    Discriminator(_registry_tag),
]


RuleValues = dict[Line, Line]


class DerivePart(_Part):
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


class MatrixFile(_Part):
    """The matrix of Twinforge: for what images are built."""

    bases: dict[AxisValue, BasePart] = Field(description="What images start from, by name.")
    accelerators: dict[AxisValue, AcceleratorPart] = Field(
        description="The values of the axis `accelerator`."
    )
    axes: dict[AxisName, tuple[AxisValue, ...]] = Field(
        description=f"{_AXES}: accelerator, os, python and your own.",
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
