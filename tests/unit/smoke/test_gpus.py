from __future__ import annotations

from twinforge.smoke.gpus import requests_for


def test_an_engine_without_nvidia_s_parts_gets_no_request() -> None:
    about: dict[str, object] = {
        "Runtimes": {"runc": {}, "io.containerd.runc.v2": {}},
        "DiscoveredDevices": None,
    }
    assert requests_for(about) == []
    assert requests_for({"DiscoveredDevices": [{"Source": "cdi", "ID": "vendor.com/nic=0"}]}) == []


def test_nvidia_s_runtime_is_asked_for_all_gpus() -> None:
    (request,) = requests_for({"Runtimes": {"runc": {}, "nvidia": {}}})
    assert (request["Count"], request["Capabilities"]) == (-1, [["gpu"]])


def test_devices_of_the_container_device_interface_are_asked_for_by_name() -> None:
    (request,) = requests_for({"DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=0"}]})
    assert (request["Driver"], request["DeviceIDs"]) == ("cdi", ["nvidia.com/gpu=all"])
