"""Taking a lab down: exactly what its inventory lists, from whatever state it is in."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stormlab import maker, oplock, teardown
from stormlab.errors import BadInputError, LabError
from stormlab.estate import DEFAULT_STATE_PARENT
from stormlab.inventory import Inventory


@dataclass(frozen=True)
class Down:
    """What was done."""

    seconds: float
    things: int
    """How many recorded things there were; 0 when there was no lab."""
    kept: bool = False
    """Somebody else had brought it up: nothing was touched."""


def down(lab: str, state: Path, say: Callable[[str], None], only_of: str | None = None) -> Down:
    """Kill and remove everything the lab made; nothing to do is success. `say` is told of a wait.

    With `only_of` a lab that another maker brought up is kept (see `maker`). Raises BadInputError without the
    rights for it, LabError naming what could not be removed.
    """
    began = time.monotonic()
    if not state.exists():
        return Down(0.0, 0)
    if only_of is not None and (os.geteuid() != 0 or not maker.made_by(state, only_of)):
        return Down(0.0, 0, kept=True)
    if os.geteuid() != 0:
        raise BadInputError(["the lab belongs to root: take it down as root (sudo)"])
    with oplock.held(lab, say):
        if only_of is not None and not maker.made_by(state, only_of):  # another one came while we waited
            return Down(0.0, 0, kept=True)
        inventory = Inventory(state)
        things = len(inventory.items())
        left = teardown.teardown(inventory)
        if left:
            raise LabError("\n".join(["could not remove:", *left]))
        if state.parent == Path(DEFAULT_STATE_PARENT):
            with contextlib.suppress(OSError):  # another lab lives there
                state.parent.rmdir()
    return Down(time.monotonic() - began, things)
