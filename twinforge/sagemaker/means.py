"""What carrying something out needs: whom to ask, how patiently to wait, and whom to tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.events import Event, State

if TYPE_CHECKING:
    from twinforge.events import Listener
    from twinforge.sagemaker.aws import Service
    from twinforge.sagemaker.patience import Patience

__all__ = ["Means"]


@dataclass(frozen=True, slots=True)
class Means:
    """SageMaker and the logs of its containers, patience, and a listener.

    ``stage`` is the verb of the run, for the events.
    """

    stage: str
    sagemaker: Service
    logs: Service
    patience: Patience
    listener: Listener

    def tell(self, node: str, state: State, text: str = "") -> None:
        """Tell the listener what happened to a node."""
        self.listener(Event(self.stage, node, state, text))
