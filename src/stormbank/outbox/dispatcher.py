"""The dispatcher: takes rows of the outbox that are due, has them carried out, and settles them.

No transaction is open while a handler works. A row is taken by moving the time it is due, committed before the work
begins: whoever is killed leaves a row that is due again when that time has come. Two may then work on one row, so
everything that they do must be the same done twice.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Final

import asyncpg

from stormbank.db.outbox import Outbox
from stormbank.deadline import Deadline
from stormbank.epoch import Epoch
from stormbank.metrics import OutboxMetrics
from stormbank.outbox import Done, Handler, Later, Row, Selective
from stormbank.problem import Problem, StaleEpoch
from stormbank.wait import pause, until_set

LOOK_EVERY_S: Final = 2.0  # for rows of others, who were killed; one's own are known
GAP_S: Final = 0.02  # rows that come at the same time are taken together
WRITE_MS: Final = 2_000
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0

log = logging.getLogger(__name__)


def back_off_s(attempts: int) -> float:
    """Return how long to wait after so many attempts: twice as long each time, to a limit, and not all together."""
    longest_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(attempts - 1, 16))
    return longest_s * random.uniform(0.5, 1.0)


class Dispatcher:
    """Works on at most `parallel` rows at a time, of the kinds there are `handlers` for.

    `epoch` is the cell's as last heard, None while it is unknown: then nothing is done. `doubt` is told when the
    database's was another one.
    """

    def __init__(
        self,
        outbox: Outbox,
        handlers: Mapping[str, Handler],
        *,
        epoch: Callable[[], Epoch | None],
        doubt: Callable[[], None],
        counts: OutboxMetrics,
        parallel: int,
    ) -> None:
        self._outbox = outbox
        self._handlers = dict(handlers)
        self._epoch = epoch
        self._doubt = doubt
        self._counts = counts
        self._parallel = parallel
        self._working: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self._trouble = ""
        self._count_at_s = 0.0

    def wake(self) -> None:
        """Say that a row was written: it is looked for at once."""
        self._news.set()

    async def keep(self) -> None:
        """Dispatch; runs until cancelled. What is under way then is left for whoever takes it next."""
        try:
            while True:
                self._news.clear()
                await self._guarded(self._take())
                if time.monotonic() >= self._count_at_s:
                    await self._guarded(self._count())
                await pause(GAP_S)
                await until_set(self._news, LOOK_EVERY_S)
        finally:
            for task in self._working:
                task.cancel()

    async def _take(self) -> None:
        room, epoch, kinds = self._parallel - len(self._working), self._epoch(), self._wanted()
        if room <= 0 or epoch is None or not kinds:
            return  # whoever ends makes room, and news of it
        rows = await self._outbox.claim(kinds, room, epoch, Deadline.after_ms(WRITE_MS))
        for row in rows:
            self._counts.attempted(row.kind)
            task = asyncio.create_task(self._guarded(self._work(row)))
            self._working.add(task)
            task.add_done_callback(self._ended)
        if len(rows) == room:
            self.wake()

    def _wanted(self) -> list[str]:
        """Return the kinds whose handlers want rows now."""
        return [
            kind
            for kind, handler in self._handlers.items()
            if not isinstance(handler, Selective) or handler.open()
        ]

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._working.discard(task)
        self.wake()

    async def _work(self, row: Row) -> None:
        try:
            answer = await self._handlers[row.kind].handle(row)
        except Exception:
            log.exception("%s of %s failed", row.kind, row.key)
            answer = Later()
        deadline = Deadline.after_ms(WRITE_MS)
        if isinstance(answer, Done):
            outcome = await self._outbox.settle(row, answer, self._epoch(), deadline)
            self._counts.ended(row.kind, outcome or "later")
        else:
            after_s = back_off_s(row.attempts) if answer.after_s is None else answer.after_s
            await self._outbox.put_off(row, after_s, self._epoch(), deadline)
            self._counts.ended(row.kind, "later")
            asyncio.get_running_loop().call_later(after_s, self.wake)

    async def _count(self) -> None:
        self._count_at_s = time.monotonic() + LOOK_EVERY_S
        if self._handlers and self._epoch() is not None:
            self._counts.observe(await self._outbox.waiting(Deadline.after_ms(WRITE_MS)))

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        """Do `work`; what the books do not let happen now is tried again with the next look or the next claim."""
        try:
            await work
        except StaleEpoch:
            self._doubt()
        except (Problem, asyncpg.PostgresError) as error:
            self._note(str(error))
        else:
            self._note("")

    def _note(self, trouble: str) -> None:
        """Log what is in the way, once as long as it is the same."""
        if trouble not in ("", self._trouble):
            log.warning("outbox: %s", trouble)
        self._trouble = trouble
