"""Runs the controllers: changes become keys, keys are looked at one after another.

Everything happens in the API server's event loop, so a controller's look at one key is atomic. A key
that fails is looked at again later, with growing delay; other keys do not wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Sequence
from typing import Protocol

from stormlab.api.objects import Objects
from stormlab.api.record import Event
from stormlab.api.status import ApiError
from stormlab.wait import pause

_LOG = logging.getLogger("stormlab.controllers")
_FIRST_RETRY_S = 0.05
_LONGEST_RETRY_S = 30.0
Key = tuple[str, ...]


class Controller(Protocol):
    """One control loop. `reconcile` must be safe to repeat: it brings one key closer to its wish."""

    @property
    def name(self) -> str:
        """Return the controller's name, for logs."""

    def start(self) -> Iterable[Key]:
        """Return every key there is now."""

    def keys(self, event: Event) -> Iterable[Key]:
        """Return the keys a change may concern."""

    def reconcile(self, key: Key) -> float | None:
        """Act on a key; returns after how many seconds to look again, or None."""


class Loop:
    """Feeds controllers from the store and runs them until stopped."""

    def __init__(self, objects: Objects, controllers: Sequence[Controller]) -> None:
        self._objects = objects
        self._controllers = tuple(controllers)
        self._queue: dict[tuple[int, Key], None] = {}
        self._timers: dict[tuple[int, Key], asyncio.TimerHandle] = {}
        self._retries: dict[tuple[int, Key], float] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Look at everything once, and from then on at what changes."""
        self._stop_listening = self._objects.store.listen_all(self._heard)
        for index, controller in enumerate(self._controllers):
            for key in controller.start():
                self._enqueue((index, key))
        self._task = asyncio.create_task(self._run(), name="controllers")

    async def stop(self) -> None:
        """Stop at once; what was not looked at is found again at the next start."""
        if self._task is None:
            return
        self._stop_listening()
        for timer in self._timers.values():
            timer.cancel()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    @property
    def idle(self) -> bool:
        """Say whether there is nothing to look at now; timers may still bring something."""
        return not self._queue

    def _heard(self, event: Event) -> None:
        for index, controller in enumerate(self._controllers):
            for key in controller.keys(event):
                self._enqueue((index, key))

    def _enqueue(self, item: tuple[int, Key]) -> None:
        self._queue.setdefault(item)
        self._wake.set()

    def _later(self, item: tuple[int, Key], delay_s: float) -> None:
        if (timer := self._timers.pop(item, None)) is not None:
            timer.cancel()
        self._timers[item] = asyncio.get_running_loop().call_later(delay_s, self._due, item)

    def _due(self, item: tuple[int, Key]) -> None:
        self._timers.pop(item, None)
        self._enqueue(item)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                item = next(iter(self._queue))
                del self._queue[item]
                self._look(item)
                # Requests and watchers get their turn between two looks.
                await pause(0)

    def _look(self, item: tuple[int, Key]) -> None:
        controller = self._controllers[item[0]]
        try:
            again_s = controller.reconcile(item[1])
        except ApiError as error:
            self._failed(item, f"{error.code} {error}")
        except Exception:  # noqa: BLE001 -- one broken object must not stop the others; it is logged
            _LOG.exception("%s %s", controller.name, "/".join(item[1]))
            self._failed(item, "unexpected error")
        else:
            self._retries.pop(item, None)
            if again_s is not None:
                self._later(item, again_s)

    def _failed(self, item: tuple[int, Key], why: str) -> None:
        delay_s = min(self._retries.get(item, _FIRST_RETRY_S / 2) * 2, _LONGEST_RETRY_S)
        self._retries[item] = delay_s
        name = self._controllers[item[0]].name
        _LOG.warning("%s %s: %s; again in %.2f s", name, "/".join(item[1]), why, delay_s)
        self._later(item, delay_s)
