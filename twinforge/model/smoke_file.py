"""The checks of a recipe's file as pydantic models."""

from typing import Literal

from pydantic import Field

from twinforge.model.fields import (
    AsWritten,
    ChannelName,
    FilePath,
    JsonPointer,
    JsonValue,
    MediaType,
    PatternText,
    ResourceName,
    Sentence,
    UserText,
)
from twinforge.model.part import Part

__all__ = [
    "CommandPart",
    "InvocationPart",
    "PairPart",
    "SeverityPart",
    "SmokePart",
    "StopPart",
    "TrainPart",
]


class StopPart(Part):
    """How a training run is made long enough to be stopped in its middle."""

    hyperparameters: dict[Sentence, AsWritten] = Field(
        default={}, description="On top of the run's own."
    )
    after: PatternText = Field(
        default="", description="A regular expression: the stop comes when the log matches it."
    )


class TrainPart(Part):
    """A training run that a built image must finish."""

    channels: dict[ChannelName, FilePath] = Field(
        default={}, description="Channels and the folders of the project that fill them."
    )
    hyperparameters: dict[Sentence, AsWritten] = Field(
        default={}, description="Passed as strings, as they are written here."
    )
    stop: StopPart = Field(default=StopPart(), description="A run that is stopped in its middle.")
    resumes: PatternText = Field(
        default="",
        description="A regular expression: what the log says when training goes on from checkpoints.",
    )


class InvocationPart(Part):
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


class SeverityPart(Part):
    """Another severity of a check."""

    severity: Literal["error", "warning"] = Field(description="What a failure is.")
    because: Sentence = Field(description="Why this recipe's images may, or must.")


class CommandPart(Part):
    """A command that must succeed in the image, in a container without a network."""

    name: ResourceName = Field(description="What the check is called.")
    run: tuple[Sentence, ...] = Field(min_length=1, description="The program and its arguments.")
    status: int = Field(default=0, ge=0, le=255, description="The status it must end with.")
    prints: PatternText = Field(
        default="", description="A regular expression that its output must match."
    )


class PairPart(Part):
    """How far numbers of the CPU and the CUDA image's answers may lie apart."""

    absolute: float = Field(default=1e-6, ge=0, description="The largest difference.")
    relative: float = Field(
        default=1e-5, ge=0, le=1, description="The largest difference, as a share of the larger."
    )


class SmokePart(Part):
    """What a built image must do before it may be pushed."""

    train: TrainPart | None = Field(default=None, description="A training run.")
    invocations: tuple[InvocationPart, ...] = Field(
        default=(), description="Requests, sent in this order."
    )
    startup_s: int = Field(
        default=480, ge=1, le=3600, description="Seconds until `/ping` must answer."
    )
    stop_s: int = Field(
        default=30, ge=1, le=30, description="Seconds from SIGTERM to the end of `serve`."
    )
    user: UserText = Field(
        default="", description="As whom the containers run: a name or number, and a group."
    )
    read_only_root: bool = Field(
        default=False, description="Also train and serve on a read-only root file system."
    )
    severities: dict[Sentence, SeverityPart] = Field(
        default={}, description="Checks that count otherwise for this recipe, each with the reason."
    )
    commands: tuple[CommandPart, ...] = Field(
        default=(), description="Commands that must succeed in the image."
    )
    pair: PairPart = Field(
        default=PairPart(), description="How the CPU and the CUDA image must agree."
    )
