from __future__ import annotations

from twinforge.lock.document import Wheel
from twinforge.lock.requirements import requirements_text


def test_each_wheel_is_one_hashed_line_in_order_of_names() -> None:
    wheels = [
        Wheel("torch", "2.1.0+cu118", "torch.whl", "b" * 64, 7, "device"),
        Wheel("numpy", "2.4.6", "numpy.whl", "a" * 64, 7, "common"),
    ]
    header, *lines = requirements_text(wheels).splitlines()
    assert header.startswith("# ")
    assert lines == [
        f"numpy==2.4.6 --hash=sha256:{'a' * 64}",
        f"torch==2.1.0+cu118 --hash=sha256:{'b' * 64}",
    ]
    assert requirements_text(wheels).endswith("\n")
