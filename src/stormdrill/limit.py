"""A limit as content files write it: a comparison and a number, such as `<= 0.5` or `== 0`."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "==": operator.eq,
    "!=": operator.ne,
}
_TEXT = re.compile(r"(<=|>=|==|!=|<|>)\s*(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)")


@dataclass(frozen=True)
class Limit:
    """What must hold. `str()` gives the text it was parsed from, normalised."""

    compare: str
    value: float

    @classmethod
    def parse(cls, text: str) -> Limit:
        """`"<= 0.5"` to a limit; ValueError otherwise."""
        match = _TEXT.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"not a limit: {text!r} (examples: <= 0, >= 0.99, == 1)")
        return cls(match[1], float(match[2]))

    def holds(self, value: float) -> bool:
        """Whether `value` keeps the limit. ValueError for NaN: no comparison with it means anything."""
        if math.isnan(value):
            raise ValueError("NaN cannot be held against a limit")
        return _COMPARE[self.compare](value, self.value)

    def __str__(self) -> str:
        return f"{self.compare} {self.value:g}"
