from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.sagemaker.test_hosting import CPU, GPU
from twinforge.api.hosting import region
from twinforge.errors import ImpossibleError, UsageError
from twinforge.model.reference import Reference


def test_images_run_in_the_one_region_that_they_are_in() -> None:
    assert region(CPU, GPU) == "eu-west-1"
    text = str(GPU.pinned).replace("eu-west-1", "us-east-1")
    with pytest.raises(UsageError, match="in several regions: eu-west-1, us-east-1"):
        region(CPU, replace(GPU, pinned=Reference.parse(text)))
    local = Reference.parse(f"localhost:5000/digits@{GPU.pinned.digest}")
    with pytest.raises(ImpossibleError, match="'localhost:5000' is another registry"):
        region(CPU, replace(GPU, pinned=local))
