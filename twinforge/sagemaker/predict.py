"""A small client of an endpoint, for programs outside a notebook."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from twinforge.sagemaker.aws import Account, AwsService, asking
from twinforge.sagemaker.pending import Pending
from twinforge.sagemaker.place import Place

if TYPE_CHECKING:
    from twinforge.sagemaker.aws import Service

__all__ = ["Answer", "Endpoint"]

CSV = "text/csv"


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint answered.

    Attributes:
        body: The bytes of the container's answer.
        content_type: What the container calls them.
        variant: The production variant that answered.
        attributes: The container's custom attributes, or empty.
    """

    body: bytes
    content_type: str
    variant: str
    attributes: str = ""

    @property
    def text(self) -> str:
        """The body as text in UTF-8."""
        return self.body.decode()

    def json(self) -> Any:
        """Return the value that the body holds as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Endpoint:
    """An endpoint by its name; it connects with the first prediction.

    ``Endpoint("digits").predict("1,2,3", content_type="text/csv").json()``
    """

    name: str
    region: str = ""
    profile: str = ""
    service: Service | None = field(default=None, repr=False)

    def predict(
        self,
        body: bytes | str,
        *,
        content_type: str = CSV,
        accept: str = "",
        variant: str = "",
        attributes: str = "",
    ) -> Answer:
        """Send a request and return the container's answer.

        Args:
            body: What is sent; text as UTF-8. Up to 25 MB, 4 MB to a serverless endpoint.
            content_type: What it is.
            accept: What the answer shall be, or empty for the container's choice.
            variant: The production variant to ask, or empty for SageMaker's choice by weight.
            attributes: Custom attributes, which the container sees as they are.

        Raises:
            AwsRefusedError: The endpoint is not there, or the container answered with an error.
            AwsError: AWS could not be used.
        """
        parameters: dict[str, object] = {
            "EndpointName": self.name,
            "Body": body.encode() if isinstance(body, str) else body,
            "ContentType": content_type,
        }
        optional = {"Accept": accept, "TargetVariant": variant, "CustomAttributes": attributes}
        parameters |= {name: value for name, value in optional.items() if value}
        service = self.service or self._connected
        answer = service.call("InvokeEndpoint", parameters)
        with asking("sagemaker-runtime", "InvokeEndpoint"):
            content = answer["Body"].read()  # the connection may be cut only now
        return Answer(
            content,
            answer.get("ContentType", ""),
            answer.get("InvokedProductionVariant", ""),
            answer.get("CustomAttributes", ""),
        )

    def submit(
        self,
        address: str,
        *,
        content_type: str = CSV,
        accept: str = "",
        attributes: str = "",
    ) -> Pending:
        """Ask an asynchronous endpoint and return where its answer will be.

        Args:
            address: The S3 address of what is sent, up to 1 GB.
            content_type: What it is.
            accept: What the answer shall be, or empty for the container's choice.
            attributes: Custom attributes, which the container sees as they are.

        Raises:
            UsageError: The address is none.
            AwsRefusedError: The endpoint is not there, or is not asynchronous.
            AwsError: AWS could not be used.
        """
        parameters: dict[str, object] = {
            "EndpointName": self.name,
            "InputLocation": str(Place.parse(address)),
            "ContentType": content_type,
        }
        optional = {"Accept": accept, "CustomAttributes": attributes}
        parameters |= {name: value for name, value in optional.items() if value}
        answer = (self.service or self._connected).call("InvokeEndpointAsync", parameters)
        failure = answer.get("FailureLocation", "")
        return Pending(
            answer.get("InferenceId", ""),
            Place.parse(answer["OutputLocation"]),
            Place.parse(failure) if failure else None,
        )

    @cached_property
    def _connected(self) -> Service:
        # Kept, so that many predictions share one connection.
        account = Account(region=self.region, profile=self.profile)
        return AwsService("sagemaker-runtime", account)
