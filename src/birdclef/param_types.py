"""Types of the values in params.yaml: numbers, names and lists, each with its range."""

import re
from contextlib import suppress
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator


def _yaml_float(value: Any) -> Any:
    """Accept `5e-05`: `dvc exp run -S` writes this form, and YAML 1.1 reads it as a string."""
    with suppress(ValueError):
        return float(value) if isinstance(value, str) else value
    return value


Float = Annotated[float, BeforeValidator(_yaml_float), Field(allow_inf_nan=False)]
PositiveFloat = Annotated[Float, Field(gt=0)]
Fraction = Annotated[Float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


def _bool_or_file(value: Any) -> bool | str:
    if isinstance(value, bool) or (isinstance(value, str) and value):
        return value
    raise ValueError("should be true, false, or the path of a weights file or folder")


WeightsFile = Annotated[bool | str, PlainValidator(_bool_or_file)]


def _distinct(values: list[Any]) -> list[Any]:
    if len(set(values)) < len(values):
        raise ValueError("should not contain duplicates")
    return values


# a timm name that is also safe as the name of a folder
Backbone = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?$")]
Backbones = Annotated[list[Backbone], Field(min_length=1), AfterValidator(_distinct)]
Number = Annotated[int, Field(ge=0, le=1000)]
Numbers = Annotated[list[Number], Field(min_length=1), AfterValidator(_distinct)]


def _fold(value: Any) -> int | str:
    is_number = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1000
    if is_number or (isinstance(value, str) and re.fullmatch("full_[0-9]{1,2}", value)):
        return value
    raise ValueError("should be the number of a fold, or full_0, full_1, ... to hold out nothing")


Fold = Annotated[int | str, PlainValidator(_fold)]
Folds = Annotated[list[Fold], Field(min_length=1), AfterValidator(_distinct)]


def _group(value: str) -> str:
    with suppress(re.error):
        if value == "site" or re.compile(value).groups == 1:
            return value
    raise ValueError("should be null, site, or a valid regular expression with one capturing group")


Group = Annotated[str, AfterValidator(_group)]
