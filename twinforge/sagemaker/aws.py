"""AWS as this room sees it: an operation and its parameters go in, an answer comes out.

With ``storage``, the one module of this room that imports boto3. Errors are told apart by their
code. Every service's address can be changed as for any AWS program: by ``AWS_ENDPOINT_URL`` and
``AWS_ENDPOINT_URL_<SERVICE>``, or in the profile.

Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from twinforge.errors import AwsError, AwsRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = [
    "Account",
    "AwsService",
    "Service",
    "all_pages",
    "asking",
    "find_or_none",
    "open_client",
]

ATTEMPTS = 8
INVOCATION_ATTEMPTS = 3
"""Fewer, since each may take a container's whole minute."""
READ_S = 70
"""SageMaker gives a container 60 s to answer an invocation.

Source: SageMaker developer guide, "How containers serve requests".
"""

MISSING = frozenset({"ResourceNotFound", "ResourceNotFoundException", "ValidationException"})
"""What SageMaker answers to a well-formed question about something that is not there.

Source: botocore's waiter ``EndpointDeleted``, which takes ``ValidationException`` for success.
"""
PASSING = frozenset(
    {
        "InternalDependencyException",
        "InternalFailure",
        "InternalServerError",
        "ModelNotReadyException",
        "RequestTimeout",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
    }
)
UNKNOWN_USER = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)


class Service(Protocol):
    """One AWS service in one region."""

    def call(self, operation: str, parameters: Mapping[str, object]) -> Mapping[str, Any]:
        """Send a request and return its answer.

        Raises:
            AwsRefusedError: AWS said no.
            AwsError: AWS could not be used.
        """
        ...


@dataclass(frozen=True, slots=True)
class Account:
    """Whose AWS, and where.

    Attributes:
        region: The AWS region, or empty for what AWS's configuration says.
        profile: A profile of AWS's configuration, or empty for boto3's own order.
        ca_bundle: Certificates to trust instead of boto3's.
    """

    region: str = ""
    profile: str = ""
    ca_bundle: Path | None = None


class AwsService:
    """A :class:`Service` that is AWS; it connects with the first call."""

    def __init__(self, name: str, account: Account) -> None:
        self._name = name
        self._account = account
        self._client: Any = None

    def call(self, operation: str, parameters: Mapping[str, object]) -> Mapping[str, Any]:
        """Send a request; what AWS calls passing is tried again before it is an error."""
        with asking(self._name, operation):
            if self._client is None:
                self._client = open_client(self._name, self._account)
            answer: Mapping[str, Any] = getattr(self._client, xform_name(operation))(**parameters)
            return answer


def open_client(name: str, account: Account) -> Any:
    """Return boto3's client of a service; call it within :func:`asking`."""
    attempts = INVOCATION_ATTEMPTS if name == "sagemaker-runtime" else ATTEMPTS
    session = boto3.session.Session(
        profile_name=account.profile or None, region_name=account.region or None
    )
    return session.client(
        name,  # type: ignore[call-overload] # the stubs know one overload per service's name
        verify=str(account.ca_bundle) if account.ca_bundle else None,
        config=Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            read_timeout=READ_S,
            user_agent_extra="twinforge",
        ),
    )


def all_pages(
    service: Service, operation: str, key: str, parameters: Mapping[str, object] | None = None
) -> tuple[Mapping[str, Any], ...]:
    """Return the items of every page of a list, in the service's order."""
    found: list[Mapping[str, Any]] = []
    asked = dict(parameters or {})
    while True:
        answer = service.call(operation, asked)
        found += answer.get(key, ())
        token = answer.get("NextToken")
        if not token:
            return tuple(found)
        asked["NextToken"] = token


def find_or_none(
    service: Service, operation: str, parameters: Mapping[str, object]
) -> Mapping[str, Any] | None:
    """Ask for something by name; None when it is not there.

    Raises:
        AwsError: AWS could not be used, or said another "no" than that.
    """
    try:
        return service.call(operation, parameters)
    except AwsRefusedError as error:
        if error.code in MISSING:
            return None
        raise


@contextmanager
def asking(service: str, what: str) -> Iterator[None]:
    """Translate boto3's errors, by code."""
    try:
        yield
    except ClientError as error:
        raise _refused(error, service, what) from error
    except (NoCredentialsError, PartialCredentialsError, SSOError, TokenRetrievalError) as error:
        message = f"{what}: there are no AWS credentials that can be used: {error}"
        raise AwsError(message, hint="run 'aws configure' or 'aws sso login'") from error
    except NoRegionError as error:
        message = f"{what}: no AWS region is given"
        raise AwsError(message, hint="give --region, or set AWS_DEFAULT_REGION") from error
    except ProfileNotFound as error:
        message = f"{what}: there is no such AWS profile: {error}"
        raise AwsError(message, hint="see 'aws configure list-profiles'") from error
    except ParamValidationError as error:
        message = f"{what}: {error}"
        raise AwsRefusedError(message, code="ParamValidation", said=str(error)) from error
    except BotoCoreError as error:
        message = f"{what}: {service} can't be reached: {error}"
        raise AwsError(message, hint="see whether the network and the region are right") from error


def _refused(error: ClientError, service: str, what: str) -> AwsError:
    told = error.response.get("Error", {})
    code, said = told.get("Code", ""), told.get("Message", "")
    if code == "ModelError":
        return _model_error(error, what)
    message = f"{what}: {service} answers {code}: {said}"
    if code in PASSING:
        return AwsError(message, hint="run it again later")
    hint = "see 'aws sts get-caller-identity'" if code in UNKNOWN_USER else ""
    return AwsRefusedError(message, code=code, said=said, hint=hint)


def _model_error(error: ClientError, what: str) -> AwsRefusedError:
    """The container's own answer is what counts; SageMaker wraps it."""
    answer: Mapping[str, Any] = error.response
    said = str(answer.get("OriginalMessage", ""))
    message = f"{what}: the container answers {answer.get('OriginalStatusCode', '')}: {said}"
    stream = answer.get("LogStreamArn", "")
    hint = f"its log is {stream}" if stream else ""
    return AwsRefusedError(message, code="ModelError", said=said, hint=hint)
