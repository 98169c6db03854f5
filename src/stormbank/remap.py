"""Changing the map by hand: `python -m stormbank remap --home ZONE`, in a ledger's pod."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from stormbank.background import beside
from stormbank.db.access import Access
from stormbank.db.address import parse_dsn
from stormbank.db.epoch import remapped
from stormbank.db.pool import Connection
from stormbank.db.primary import Primary
from stormbank.db.schema import check
from stormbank.deadline import Deadline
from stormbank.epoch import CellState
from stormbank.problem import DeadlineExceeded, Unavailable
from stormbank.settings.ledger import LedgerSettings
from stormbank.wait import pause, until_set

# How long new writes may stand in line behind a re-map that itself waits for a write in flight: then it lets them
# pass, and tries again.
LOCK_MS: Final = 300
AGAIN_S: Final = 0.2


class NotChangedError(Exception):
    """The map is as it was."""


class UnknownError(Exception):
    """The map may or may not have changed; the ledgers' /cell will tell."""


async def remap(settings: LedgerSettings, home: str, timeout_s: float) -> CellState:
    """Give the cell the next version, at home in zone `home`; NotChangedError or UnknownError within `timeout_s`.

    Done when this returns: what an earlier epoch wrote is committed, and nothing more will be.
    """
    until_s = time.monotonic() + timeout_s
    async with _writable(settings, timeout_s) as access:
        while True:
            deadline = Deadline(until_s)
            try:
                return await remapped(access, settings.cell, home, deadline)
            except DeadlineExceeded:
                raise UnknownError("its commit was not confirmed in time") from None
            except Unavailable as why:
                # Whoever waited in vain has changed nothing, and repeating it is harmless.
                if why.fields["outcome"] != "none" and why.fields["reason"] != "contention":
                    raise UnknownError("the database was lost in the middle") from None
                if deadline.remaining_s() < AGAIN_S:
                    raise NotChangedError(f"no chance within {timeout_s:g} s: {why}") from None
            except asyncpg.PostgresError as error:
                raise NotChangedError(f"the database refuses: {error}") from None
            await pause(AGAIN_S)


@asynccontextmanager
async def _writable(settings: LedgerSettings, timeout_s: float) -> AsyncIterator[Access]:
    async def prepare(connection: Connection) -> None:
        await check(connection, settings.common.cells, settings.cell)

    primary = Primary(
        parse_dsn(settings.db_dsn),
        password=settings.db_password,
        pool_size=2,
        prepare=prepare,
        lock_timeout_ms=LOCK_MS,
    )
    async with beside(lambda: None, {"the search for the primary": primary.watch()}):
        if not await until_set(primary.found_once, timeout_s):
            raise NotChangedError(f"no primary with the bank of {settings.cell} found within {timeout_s:g} s")
        yield Access(primary, 2)
