"""Every error that Twinforge raises on purpose, and the exit status that each one ends the program with.

The tree, with the exit status in brackets (a class without brackets inherits its parent's)::

    TwinforgeError [1]              something that was asked for failed
    |-- UsageError [2]              the command line asks for something that does not exist
    |-- UnknownError [3]            there is no data to answer with; nothing is guessed
    |-- ImpossibleError [4]         the data says that this can't work
    |-- ProjectError [5]            recipes, matrix or program are wrong; carries every problem
    |-- StaleError [6]              committed files do not follow from their sources any more
    |-- MissingToolError [7]        an engine or a program that is needed is not there
    |-- LockError                   versions can't be resolved, or not with parity
    |   `-- IndexUnreachableError   a package index does not answer; carries its URL
    |-- CommandError                a child process failed; carries its argv, status and output
    |-- BuildError                  one or more variants did not build
    |-- SmokeError                  one or more images did not do what they must
    |-- AwsError                    AWS could not be used
    |   `-- AwsRefusedError         a definite "no" of AWS; carries its code
    |-- DeployError                 an endpoint does not run what it was told to
    |-- TrainError                  a training job did not complete
    `-- RegistryError               a registry could not be used
        |-- RegistryRefusedError    a definite "no" of the registry; never retried
        `-- ContentConflictError    a tag is taken by other content

``0`` is success and ``130`` an interrupted run. Messages are one lower-case sentence that names the
value and what was allowed; ``hint`` says what to do. Secrets never enter either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "AwsError",
    "AwsRefusedError",
    "BuildError",
    "CommandError",
    "ContentConflictError",
    "DeployError",
    "ImpossibleError",
    "IndexUnreachableError",
    "LockError",
    "MissingToolError",
    "Problem",
    "ProjectError",
    "RegistryError",
    "RegistryRefusedError",
    "SmokeError",
    "StaleError",
    "TrainError",
    "TwinforgeError",
    "UnknownError",
    "UsageError",
]


class TwinforgeError(Exception):
    """The root of the tree.

    Args:
        message: One lower-case sentence without a full stop.
        hint: What the user can do about it, or an empty string.
    """

    exit_status: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(TwinforgeError):
    """The command line names something that does not exist or can't be combined."""

    exit_status = 2


class UnknownError(TwinforgeError):
    """There is no data to answer with."""

    exit_status = 3


class ImpossibleError(TwinforgeError):
    """The data says that what was asked for can't work."""

    exit_status = 4


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong with a file of the project.

    Lines and columns count from 1; 0 means that the whole file is meant. ``where`` is the path
    inside the document (``python.packages[2].twin``), empty for the document itself.
    """

    path: str
    line: int
    column: int
    where: str
    message: str

    def __str__(self) -> str:
        """Return ``file:line:column: path: message``, the form that editors can jump to."""
        position = f":{self.line}:{self.column}" if self.line else ""
        where = f"{self.where}: " if self.where else ""
        return f"{self.path}{position}: {where}{self.message}"


class ProjectError(TwinforgeError):
    """The project's files are wrong; all problems of all files are in ``problems``, sorted."""

    exit_status = 5

    def __init__(self, problems: Sequence[Problem], *, hint: str = "") -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems), hint=hint)


class StaleError(TwinforgeError):
    """Committed files do not follow from their sources any more."""

    exit_status = 6


class MissingToolError(TwinforgeError):
    """An engine or a program that is needed is not there."""

    exit_status = 7


class LockError(TwinforgeError):
    """Versions can't be resolved, or not with parity."""


class IndexUnreachableError(LockError):
    """A package index does not answer.

    Attributes:
        index: Its URL, as the recipe has it.
        said: Why, in the words of what asked it.
    """

    def __init__(self, message: str, *, index: str, said: str, hint: str = "") -> None:
        self.index = index
        self.said = said
        super().__init__(message, hint=hint)


class CommandError(TwinforgeError):
    """A child process failed.

    Attributes:
        argv: What was run. Secrets never travel in an argv, so it can be shown.
        status: Its exit status; negative when a signal ended it.
        output: The end of what it printed.
    """

    def __init__(self, argv: Sequence[str], status: int, output: str, *, hint: str = "") -> None:
        self.argv = tuple(argv)
        self.status = status
        self.output = output
        last = output.strip().rsplit("\n", 1)[-1]
        super().__init__(f"{argv[0]} ended with status {status}: {last}", hint=hint)


class BuildError(TwinforgeError):
    """One or more variants did not build."""


class SmokeError(TwinforgeError):
    """One or more images did not do what they must."""


class AwsError(TwinforgeError):
    """AWS could not be used: it does not answer, or there are no credentials or no region."""


class AwsRefusedError(AwsError):
    """AWS gave a definite "no".

    Attributes:
        code: What AWS calls it, such as ``ValidationException``.
        said: AWS's own words.
    """

    def __init__(self, message: str, *, code: str, said: str, hint: str = "") -> None:
        self.code = code
        self.said = said
        super().__init__(message, hint=hint)


class DeployError(TwinforgeError):
    """An endpoint does not run what it was told to."""


class TrainError(TwinforgeError):
    """A training job did not complete."""


class RegistryError(TwinforgeError):
    """A registry could not be used."""


class RegistryRefusedError(RegistryError):
    """The registry gave a definite "no"; trying again can't help."""


class ContentConflictError(RegistryError):
    """A tag that must not move is taken by other content."""
