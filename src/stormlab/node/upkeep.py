"""Keeping the parts of a node going: one that fails is told of and begun again, and ends nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NoReturn

from stormlab.node.context import log
from stormlab.wait import pause

_AGAIN_S = 1.0

Part = Callable[[], Awaitable[None]]


async def kept(name: str, part: Part) -> NoReturn:
    """Run a part for ever. `part` must be safe to begin again.

    A node that ended because of one of its parts would take the names, the services and the probes of its whole
    zone with it, as a lost site does; what went wrong is in its log, with where it did.
    """
    while True:
        try:
            await part()
            log.error("%s has ended: it is begun again", name)
        except Exception:  # noqa: BLE001  whatever it is, the other parts go on
            log.exception("%s has failed: it is begun again", name)
        await pause(_AGAIN_S)
