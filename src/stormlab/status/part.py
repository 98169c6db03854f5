"""A part of the status, found beside the others within a second or so, and what kept it from being whole."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from stormlab.errors import LabError

Row = dict[str, Any]

PATIENCE_S = 2.0
"""What does not answer within this is told as not answering: a person waits for the rest."""


@dataclass
class Part:
    """Keys of the report, and a line for each thing that did not answer."""

    found: Row = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)


async def in_time(what: str, asked: Awaitable[Part], otherwise: Callable[[], Row]) -> Part:
    """The part, or what the report has in its place when it fails or takes longer than `PATIENCE_S`."""
    try:
        return await asyncio.wait_for(asked, PATIENCE_S)
    except TimeoutError:
        return Part(otherwise(), [f"{what}: no answer within {PATIENCE_S:g} s"])
    except LabError as error:
        return Part(otherwise(), [f"{what}: {error}"])
