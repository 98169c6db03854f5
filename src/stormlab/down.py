"""Taking a lab down: exactly what its inventory lists, from whatever state it is in."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from stormlab import oplock, teardown
from stormlab.errors import BadInputError, LabError
from stormlab.inventory import Inventory

_BUSY_S = 2.0


@dataclass(frozen=True)
class Down:
    """What was done."""

    seconds: float
    things: int
    """How many recorded things there were; 0 when there was no lab."""


def down(lab: str, state: Path) -> Down:
    """Kill and remove everything the lab made; nothing to do is success.

    Raises BadInputError without the rights for it, LabError naming what could not be removed.
    """
    began = time.monotonic()
    if not state.exists():
        return Down(0.0, 0)
    if os.geteuid() != 0:
        raise BadInputError(["the lab belongs to root: take it down as root (sudo)"])
    with oplock.held(lab, _BUSY_S):
        inventory = Inventory(state)
        things = len(inventory.items())
        left = teardown.teardown(inventory)
        if left:
            raise LabError("\n".join(["could not remove:", *left]))
    return Down(time.monotonic() - began, things)
