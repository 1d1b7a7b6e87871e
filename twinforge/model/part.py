"""What every part of a file that people write has in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

__all__ = ["AXES", "WHEN", "Part"]


WHEN = "A condition on the variant, such as `cuda >= 12.4 and python < 3.12`."

AXES = "Axes and their values, in order"


class Part(BaseModel):
    """A mapping of a file: no key that is not known, no value of another type, none left empty."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_null(cls, value: Any) -> Any:
        if value is None:
            message = "nothing stands here; give a value or leave the key out"
            raise ValueError(message)
        return value
