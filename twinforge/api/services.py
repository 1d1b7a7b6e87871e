"""AWS for the verbs: whose it is, and what they ask of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.sagemaker.aws import Account, AwsService
from twinforge.sagemaker.means import Means
from twinforge.sagemaker.patience import Patience
from twinforge.sagemaker.storage import S3

if TYPE_CHECKING:
    from twinforge.events import Listener
    from twinforge.sagemaker.aws import Service
    from twinforge.sagemaker.storage import Storage

__all__ = ["Services", "connect"]


@dataclass(frozen=True, slots=True)
class Services:
    """What a verb asks: SageMaker, the logs, S3; and how patiently it waits."""

    sagemaker: Service
    logs: Service
    storage: Storage
    patience: Patience

    def means(self, stage: str, listener: Listener) -> Means:
        """Return what a verb needs that changes something."""
        return Means(stage, self.sagemaker, self.logs, self.patience, listener)


def connect(account: Account, patience: Patience | None = None) -> Services:
    """Return AWS's services; nothing is sent before the first question."""
    return Services(
        AwsService("sagemaker", account),
        AwsService("logs", account),
        S3(account),
        patience or Patience(),
    )
