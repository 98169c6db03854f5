"""The epoch of a cell: which state of the map a write was made under, and how both travel between processes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

HEADER: Final = "Bank-Epoch"
_SHAPE: Final = re.compile(r"(\d{1,9})\.(\d{1,9})", re.ASCII)


@dataclass(frozen=True, order=True)
class Epoch:
    """`promotion` rises with every promotion of the cell's database, `version` with every change by a person.

    Ordered by promotion, then version. The books take a write of exactly their own epoch.
    """

    promotion: int
    version: int

    def __str__(self) -> str:
        return f"{self.promotion}.{self.version}"

    @classmethod
    def parse(cls, text: str) -> Epoch:
        """Read PROMOTION.VERSION; ValueError."""
        found = _SHAPE.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is not PROMOTION.VERSION")
        return cls(int(found[1]), int(found[2]))


@dataclass(frozen=True)
class CellState:
    """What the database of `cell` says of itself: its epoch, and the zone where the map has the cell at home."""

    cell: str
    epoch: Epoch
    home: str

    def fields(self) -> dict[str, Any]:
        """Return it as JSON fields."""
        return {
            "cell": self.cell,
            "promotion": self.epoch.promotion,
            "version": self.epoch.version,
            "home": self.home,
        }

    @classmethod
    def parse(cls, body: bytes) -> CellState:
        """Read the JSON of `fields`; ValueError when it is something else."""
        try:
            found = json.loads(body)
            promotion, version = found["promotion"], found["version"]
            return cls(str(found["cell"]), Epoch.parse(f"{promotion}.{version}"), str(found["home"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a cell's state: {error!r}") from None
