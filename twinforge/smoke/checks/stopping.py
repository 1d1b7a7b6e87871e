"""How a container is asked to end."""

from __future__ import annotations

from twinforge.errors import SmokeError

__all__ = ["refuse_stop_signal"]

_NUMBER = "15"


def refuse_stop_signal(signal: str, program: str) -> None:
    """Refuse an image with another stop signal than SIGTERM.

    SageMaker stops containers by ``docker stop``, which sends what the image asks for.

    Args:
        signal: What its STOPSIGNAL says, empty where it has none.
        program: ``train`` or ``serve``, which SIGTERM has been sent to.

    Raises:
        SmokeError: It is another.
    """
    if signal and signal != _NUMBER and signal.upper().removeprefix("SIG") != "TERM":
        message = (
            f"the image sets STOPSIGNAL to {signal}, so that '{program}' gets that from "
            "`docker stop`, and no SIGTERM"
        )
        raise SmokeError(message)
