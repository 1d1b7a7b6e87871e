"""The kinds of text that the project's files hold, each checked for the place that it goes to.

Values end up in Dockerfiles, tags, shell words and requests. What a kind of field lets through here
is all that the rooms below have to deal with.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from twinforge.model.reference import Reference
from twinforge.yamlfile import Unclear, show_value

__all__ = [
    "AccountId",
    "AptText",
    "AsWritten",
    "AxisName",
    "AxisValue",
    "ByteSize",
    "ChannelName",
    "Component",
    "CudaLibraryName",
    "CudaVersion",
    "Day",
    "Distribution",
    "DistributionName",
    "EnvName",
    "FilePath",
    "FindingId",
    "GroupName",
    "Host",
    "ImageText",
    "IndexUrl",
    "InstanceName",
    "JsonPointer",
    "JsonValue",
    "KmsKey",
    "Line",
    "MediaType",
    "PatternText",
    "Region",
    "ReleaseVersion",
    "RepositoryName",
    "RequirementText",
    "ResourceName",
    "Sentence",
    "Severity",
    "Snapshot",
    "SpecifierText",
    "Step",
    "Suite",
    "TagText",
    "UserText",
    "parse_apt_package",
    "parse_day",
    "parse_size",
    "parse_snapshot",
]

# Controls, line and paragraph separators and lone surrogates; then what reorders the text around it
# (CVE-2021-42574), so that a review would not see what is built
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
_FORBIDDEN = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_LONGEST_PATH = 1024
# Source: https://packaging.python.org/en/latest/specifications/name-normalization/
_DISTRIBUTION = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"


@dataclass(frozen=True, slots=True)
class _Matches:
    """A field that a regular expression describes wholly, for us and in the JSON Schema."""

    pattern: str
    what: str

    def check(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text):
            message = f"{show_value(text)} is not {self.what}"
            raise ValueError(message)
        return text

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "pattern": f"^(?:{self.pattern})$"}


def _check_characters(text: str, allowed: str = "") -> str:
    for character in text:
        if character in allowed:
            continue
        if character in _FORBIDDEN or unicodedata.category(character) in _FORBIDDEN_CATEGORIES:
            name = "a newline" if character == "\n" else f"the character U+{ord(character):04X}"
            rule = "visible text and newlines are" if allowed else "one line of visible text is"
            message = f"{show_value(text)} holds {name}; {rule} allowed"
            raise ValueError(message)
    return text


def _check_line(text: str) -> str:
    return _check_characters(text)


def _check_sentence(text: str) -> str:
    if not text.strip():
        message = "the text is empty"
        raise ValueError(message)
    return _check_characters(text)


def _check_step(text: str) -> str:
    if not text.strip():
        message = "the step is empty"
        raise ValueError(message)
    return _check_characters(text, allowed="\n\t")


def _check_version(text: str) -> str:
    try:
        Version(text)
    except InvalidVersion as error:
        message = f"{show_value(text)} is not a version (PEP 440, such as 1.2.0 or 1.2.0rc1)"
        raise ValueError(message) from error
    if not re.fullmatch(r"[0-9][A-Za-z0-9._-]*", text):
        message = (
            f"{show_value(text)} can't begin a tag; a version is a digit and then [A-Za-z0-9._-]"
        )
        raise ValueError(message)
    return text


def _check_requirement(text: str) -> str:
    try:
        requirement = Requirement(_check_line(text))
    except InvalidRequirement as error:
        message = f"{show_value(text)} is not a requirement (PEP 508, such as numpy>=1.26)"
        raise ValueError(message) from error
    if requirement.url:
        message = f"{show_value(text)} names a URL; packages come from the indexes"
        raise ValueError(message)
    _refuse_arbitrary_equality(requirement.specifier, text)
    return text


def _check_specifier(text: str) -> str:
    try:
        specifiers = SpecifierSet(_check_line(text))
    except InvalidSpecifier as error:
        message = f"{show_value(text)} is not a version specifier (such as ==3.0.5 or >=1.5,<2)"
        raise ValueError(message) from error
    _refuse_arbitrary_equality(specifiers, text)
    return text


def _refuse_arbitrary_equality(specifiers: SpecifierSet, text: str) -> None:
    if any(specifier.operator == "===" for specifier in specifiers):
        message = f"{show_value(text)} uses ===, which compares text; use =="
        raise ValueError(message)


def _check_path(text: str) -> str:
    path = PurePosixPath(text)
    if path.is_absolute():
        message = f"{show_value(text)} is an absolute path; paths are relative to the project"
        raise ValueError(message)
    if ".." in path.parts:
        message = f"{show_value(text)} leads outside the project; '..' is not allowed"
        raise ValueError(message)
    if len(text) > _LONGEST_PATH:
        message = f"{show_value(text)} is longer than {_LONGEST_PATH} characters"
        raise ValueError(message)
    if not path.parts or not all(
        re.fullmatch(r"[A-Za-z0-9._+@-]{1,255}", part) for part in path.parts
    ):
        message = f"{show_value(text)} is not a path (folders and a name of [A-Za-z0-9._+@-])"
        raise ValueError(message)
    return text


def _check_index(text: str) -> str:
    if "@" in text or "?" in text or "#" in text:
        # the value may hold a token, so the message doesn't
        message = "the URL of an index has no credentials and no query; those come as secrets"
        raise ValueError(message)
    return text


def _check_image(text: str) -> str:
    Reference.parse(_check_line(text))
    return text


def _check_snapshot(text: str) -> str:
    parse_snapshot(text)
    return text


def _check_json(value: Any) -> Any:
    if isinstance(value, Unclear):
        message = (
            f'{value.text} is {value.reads_as} to some readers of YAML; quote it: "{value.text}"'
        )
        raise ValueError(message)  # noqa: TRY004 - pydantic collects ValueError only
    if isinstance(value, str):
        _check_line(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _check_line(key)
            _check_json(item)
    elif isinstance(value, tuple):
        for item in value:
            _check_json(item)
    return value


def _check_pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        message = f"{show_value(text)} is not a regular expression: {error}"
        raise ValueError(message) from error
    return text


def parse_apt_package(text: str) -> tuple[str, str]:
    """Split ``name=version`` into both; the version is empty where none is given."""
    name, _, version = text.partition("=")
    return name, version


def parse_snapshot(text: str) -> str:
    """Return a date of a dated archive in its full form.

    >>> parse_snapshot("20260101")
    '20260101T000000Z'

    Raises:
        ValueError: It is no date.
    """
    full = f"{text}T000000Z" if re.fullmatch(r"[0-9]{8}", text) else text
    try:
        if not re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", full):
            raise ValueError  # noqa: TRY301 - the same sentence as for a date that does not exist
        datetime.strptime(full, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        message = f"{show_value(text)} is not a date (such as 20260101T000000Z)"
        raise ValueError(message) from error
    return full


def parse_day(text: str) -> date:
    """Return a day that is written as in ISO 8601.

    >>> parse_day("2026-12-31").year
    2026

    Raises:
        ValueError: It is none.
    """
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            raise ValueError  # noqa: TRY301 - the same sentence as for a day that does not exist
        return date.fromisoformat(text)
    except ValueError as error:
        message = f"{show_value(text)} is not a day (such as 2026-12-31)"
        raise ValueError(message) from error


def _check_day(text: str) -> str:
    parse_day(text)
    return text


def parse_size(text: str) -> int:
    """Return the bytes of a size that was checked.

    >>> parse_size("1.5 GiB")
    1610612736
    """
    number, unit = re.fullmatch(r"([0-9.]+) ?(MiB|GiB)", text).groups()  # type: ignore[union-attr] # checked
    return int(float(number) * {"MiB": 1 << 20, "GiB": 1 << 30}[unit])


Line = Annotated[str, AfterValidator(_check_line)]
Sentence = Annotated[str, AfterValidator(_check_sentence)]
AsWritten = Annotated[
    str, AfterValidator(_check_line), WithJsonSchema({"type": ["string", "number", "boolean"]})
]
PatternText = Annotated[str, AfterValidator(_check_line), AfterValidator(_check_pattern)]
Step = Annotated[str, AfterValidator(_check_step)]
JsonValue = Annotated[Any, AfterValidator(_check_json)]

ResourceName = Annotated[
    str, _Matches(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", "a name (lower-case words joined by . _ -)")
]
ReleaseVersion = Annotated[str, AfterValidator(_check_version)]
RequirementText = Annotated[str, AfterValidator(_check_requirement)]
SpecifierText = Annotated[str, AfterValidator(_check_specifier)]
DistributionName = Annotated[str, _Matches(_DISTRIBUTION, "the name of a distribution")]
Distribution = Annotated[
    str,
    _Matches(
        rf"{_DISTRIBUTION}(?:\[{_DISTRIBUTION}(?:, ?{_DISTRIBUTION})*\])?",
        "the name of a distribution, with extras in brackets",
    ),
]
IndexUrl = Annotated[
    str,
    AfterValidator(_check_index),
    _Matches(
        r"https://[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~%+/-]*)?",
        "the URL of an index (https)",
    ),
]
AptText = Annotated[
    str,
    _Matches(
        r"[a-z0-9][a-z0-9+.-]+(?:=[A-Za-z0-9.+:~-]+)?",
        "a Debian package (name or name=version)",
    ),
]
FilePath = Annotated[str, AfterValidator(_check_path)]
EnvName = Annotated[str, _Matches(r"[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable")]
ChannelName = Annotated[
    str, _Matches(r"[A-Za-z0-9._-]{1,64}", "the name of a channel (1 to 64 of [A-Za-z0-9._-])")
]
MediaType = Annotated[
    str,
    _Matches(
        r"[A-Za-z0-9!#$&^_.+*-]+/[A-Za-z0-9!#$&^_.+*-]+(?:; ?[A-Za-z0-9_-]+=[A-Za-z0-9._-]+)*",
        "a media type (such as text/csv)",
    ),
]
JsonPointer = Annotated[
    str,
    AfterValidator(_check_line),
    _Matches(r"(?:/(?:[^~/]|~[01])*)*", "a JSON pointer (RFC 6901)"),
]

AxisName = Annotated[str, _Matches(r"[a-z][a-z0-9_]*", "the name of an axis ([a-z][a-z0-9_]*)")]
AxisValue = Annotated[
    str,
    _Matches(r"[A-Za-z0-9][A-Za-z0-9._-]*", "a value of an axis ([A-Za-z0-9][A-Za-z0-9._-]*)"),
]
GroupName = Annotated[str, _Matches(r"[a-z][a-z0-9_-]*", "the name of a group ([a-z][a-z0-9_-]*)")]
CudaVersion = Annotated[str, _Matches(r"[1-9][0-9]*\.[0-9]+", 'a version of CUDA (such as "12.9")')]
CudaLibraryName = Annotated[
    str, _Matches(r"[a-z][a-z0-9-]*", "the name of a library of CUDA (such as cublas)")
]
Component = Annotated[
    str, _Matches(r"[a-z][a-z-]*", "a component of a distribution (such as non-free)")
]
ImageText = Annotated[str, AfterValidator(_check_image)]
Suite = Annotated[
    str, _Matches(r"[a-z][a-z0-9.-]*", "a suite of a distribution (such as bookworm)")
]
Snapshot = Annotated[str, AfterValidator(_check_snapshot)]
AccountId = Annotated[str, _Matches(r"[0-9]{12}", "an AWS account (12 digits)")]
Region = Annotated[
    str, _Matches(r"[a-z]{2}(?:-[a-z]+)+-[0-9]+", "an AWS region (such as eu-west-1)")
]
Host = Annotated[
    str,
    _Matches(
        r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*(?::[0-9]{1,5})?",
        "the host of a registry (such as registry.example.com:5000)",
    ),
]
InstanceName = Annotated[
    str,
    _Matches(r"ml\.[a-z0-9-]+\.[a-z0-9-]+", "an instance type of SageMaker (such as ml.m5.xlarge)"),
]
RepositoryName = Annotated[
    str,
    _Matches(
        r"(?:[a-z0-9]|\{recipe\})(?:[a-z0-9._/-]|\{recipe\})*",
        "a repository (lower-case, [a-z0-9._/-], with {recipe} for the recipe's name)",
    ),
]
ByteSize = Annotated[
    str, _Matches(r"[1-9][0-9]{0,5}(?:\.[0-9]{1,3})? ?(?:MiB|GiB)", "a size (such as 10 GiB)")
]
Day = Annotated[str, AfterValidator(_check_day)]
FindingId = Annotated[
    str, _Matches(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}", "the name of a finding (CVE-2026-1234)")
]
# Source: botocore's model of ECR: EncryptionConfiguration, Tag and FindingSeverity
KmsKey = Annotated[
    str,
    _Matches(
        r"aws|alias/[A-Za-z0-9/_-]{1,250}|[0-9a-f-]{36}|mrk-[0-9a-f]{32}"
        r"|arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:(?:key|alias)/[A-Za-z0-9/_-]+",
        "a KMS key (its ARN, its id, alias/..., or aws)",
    ),
]
Severity = Literal["INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"]
TagText = Annotated[
    str,
    _Matches(
        r"(?!aws:)[A-Za-z0-9 _.:/=+@-]{1,128}",
        "the key of a resource tag (1 to 128 of [A-Za-z0-9 _.:/=+@-], not aws:)",
    ),
]
UserText = Annotated[
    str,
    _Matches(
        r"[a-z_0-9][a-z0-9_-]{0,31}(?::[a-z_0-9][a-z0-9_-]{0,31})?",
        "a user (a name or number, and perhaps :group)",
    ),
]
