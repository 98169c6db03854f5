"""How an external party behaves: well, or slow, failing, silent after the deed, refusing, dead. Changed as it runs."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from stormbank.problem import BadRequest, Unavailable
from stormbank.settings.parse import pairs
from stormbank.wait import pause

# Longer than anybody waits for an answer, and short enough for a party to end in time.
SILENCE_S: Final = 60.0
LOOK_EVERY_S: Final = 0.1

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Conduct:
    """`slow_s`: seconds before a request is looked at. The others are shares of requests, 0 to 1.

    `fail`: answered 503 with nothing done. `silent`: done, and never answered. `refuse`: refused as a party refuses,
    the same one each time it is asked. `dead`: cut off with nothing done.
    """

    slow_s: float = 0.0
    fail: float = 0.0
    silent: float = 0.0
    refuse: float = 0.0
    dead: float = 0.0

    def changed(self, values: Mapping[str, Any]) -> Conduct:
        """Return this conduct with other values; ValueError naming everything wrong with them."""
        names = {each.name for each in dataclasses.fields(self)}
        wrong = [f"{name} is unknown" for name in sorted(set(values) - names)]
        for name in sorted(names & set(values)):
            value = values[name]
            if type(value) not in (int, float) or not math.isfinite(value) or value < 0:
                wrong.append(f"{name} is not a number of at least 0")
            elif name != "slow_s" and value > 1:
                wrong.append(f"{name} is a share, at most 1")
        if wrong:
            raise ValueError("; ".join(wrong))
        return dataclasses.replace(self, **{name: float(value) for name, value in values.items()})


def conduct(text: str) -> Conduct:
    """Read NAME=NUMBER,... as a setting; nothing is a party that behaves well."""
    return Conduct().changed(pairs(0)(text)) if text else Conduct()


class Behaviour:
    """Applies a conduct to requests. Chance comes from `seed`, so that a run repeats."""

    def __init__(self, now: Conduct, seed: int) -> None:
        self.now = now
        self._chance = random.Random(seed)

    def refuses(self, key: str) -> bool:
        """Whether what has this key is refused: the same answer for the same key."""
        drawn = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4]) / 2**32
        return drawn < self.now.refuse

    async def through(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        """Answer a request as the conduct of this moment has it; Unavailable for one that fails."""
        now = self.now
        if self._falls(now.dead):
            return _cut_off(request)
        # Whoever asks may have gone by the time this is looked at; what was sent has come all the same.
        await request.read()
        await pause(now.slow_s)
        if self._falls(now.fail):
            raise Unavailable("told_to_fail")
        silent = self._falls(now.silent)
        response = await answer(request)
        if silent:
            await _gone(request)
            return _cut_off(request)
        return response

    def change(self, values: Mapping[str, Any]) -> None:
        """Take other values, each by its name; BadRequest changes nothing."""
        try:
            self.now = self.now.changed(values)
        except ValueError as error:
            raise BadRequest(str(error)) from None

    def _falls(self, share: float) -> bool:
        return share > 0 and self._chance.random() < share


async def _gone(request: web.Request) -> None:
    """Wait until whoever asks has given up."""
    for _ in range(round(SILENCE_S / LOOK_EVERY_S)):
        if request.transport is None or request.transport.is_closing():
            return
        await pause(LOOK_EVERY_S)


def _cut_off(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)
