"""The GPUs of an engine's machine, for containers that can use them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docker.types import DeviceRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["requests_for"]

_RUNTIME = "nvidia"
_DEVICE = "nvidia.com/gpu="
_ALL = -1


def requests_for(about: Mapping[str, Any]) -> list[DeviceRequest]:
    """Return what gives a container all GPUs, as ``--gpus all`` does; nothing where there are none.

    Args:
        about: What the engine says of itself: runtimes, and from API version 1.50 on its devices.

    Source: https://docs.docker.com/reference/api/engine/ (``GET /info``, ``DeviceRequests``)
    """
    found = [str(device.get("ID", "")) for device in about.get("DiscoveredDevices") or ()]
    known = any(name.startswith(_DEVICE) for name in found)
    if _RUNTIME in (about.get("Runtimes") or {}):
        return [DeviceRequest(count=_ALL, capabilities=[["gpu"]])]
    return [DeviceRequest(driver="cdi", device_ids=[f"{_DEVICE}all"])] if known else []
