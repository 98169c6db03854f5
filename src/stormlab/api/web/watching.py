"""Watches: the changes of a kind as a stream of lines, each watcher seeing its own selection.

Rules seen in topic 17: an object that leaves the selection is DELETED with its old state at the new
version, one that comes (back) is ADDED; a version the history no longer holds is one ERROR event in a
200 answer; a future version is silence.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from aiohttp import web

from stormlab.api.jsontree import encode
from stormlab.api.kinds import Kind
from stormlab.api.record import Change, Event, Record
from stormlab.api.status import expired
from stormlab.api.store import Store, TooOldError
from stormlab.api.web.query import ListOptions
from stormlab.wait import event_within

BOOKMARK_S = 60.0
# A watch that is about to end says first how far it has come, so that its client need not list again.
LAST_BOOKMARK_S = 2.0
DEFAULT_TIMEOUT_S = (1800, 3600)
# A client that does not read is cut off before it fills the memory; it lists again.
MAX_BEHIND_BYTES = 64 * 1024 * 1024
Render = Callable[[Change, Event], bytes]


def seen_as(event: Event, accept: Callable[[Record], bool]) -> Change | None:
    """Return how a watcher with this selection sees a change, or None when it does not."""
    was = event.before is not None and accept(event.before)
    now = event.change != "DELETED" and accept(event.after)
    if now:
        return "MODIFIED" if was else "ADDED"
    return "DELETED" if was else None


def plain(change: Change, event: Event) -> bytes:
    """Render an event as the object itself."""
    return event.line(change)


class Watch:
    """One watcher: its selection and the bytes it has not been sent yet."""

    def __init__(self, store: Store, kind: Kind, options: ListOptions, render: Render = plain) -> None:
        self._store = store
        self._kind = kind
        self._accept = options.selection.test
        self._render = render
        self._pending: list[bytes] = []
        self._behind = 0
        self._after = options.version or 0
        self.ready = asyncio.Event()
        self.broken = False
        self.version = store.version
        # Nothing may happen between what is there now and the first change heard: no await in here.
        self._begin(options.version)
        self._stop = store.listen(kind, self._heard, gone=self.end)

    def _begin(self, version: int | None) -> None:
        if version in {None, 0}:
            for record in self._store.records(self._kind):
                if self._accept(record):
                    self._push(self._render("ADDED", Event("ADDED", None, record)))
            return
        try:
            events = self._store.since(self._kind, version or 0)
        except TooOldError as error:
            status = expired(f"too old resource version: {version} ({error.oldest})").body
            self._push(encode({"type": "ERROR", "object": status}) + b"\n")
            self.broken = True
            return
        for event in events:
            self._heard(event)

    def _heard(self, event: Event) -> None:
        if event.version <= self._after or self.broken:
            return
        self.version = event.version
        if (change := seen_as(event, self._accept)) is not None:
            self._push(self._render(change, event))

    def _push(self, line: bytes) -> None:
        self._pending.append(line)
        self._behind += len(line)
        if self._behind > MAX_BEHIND_BYTES:
            self.broken = True
        self.ready.set()

    def bookmark(self) -> None:
        """Queue a bookmark: the watcher has seen everything up to the store's version."""
        metadata = {"resourceVersion": str(self._store.version), "creationTimestamp": None}
        shown = {"kind": self._kind.kind, "apiVersion": self._kind.api_version, "metadata": metadata}
        self._push(encode({"type": "BOOKMARK", "object": shown}) + b"\n")

    def take(self) -> bytes:
        """Return what is to be sent and forget it."""
        sent = b"".join(self._pending)
        self._pending.clear()
        self._behind = 0
        self.ready.clear()
        return sent

    def end(self) -> None:
        """Let the stream end after what is pending."""
        self.broken = True
        self.ready.set()

    def close(self) -> None:
        """Stop listening."""
        self._stop()


OPEN: web.AppKey[set[Watch]] = web.AppKey("OPEN", set)


async def end_all(app: web.Application) -> None:
    """End every open watch, so that a server that stops does not wait for them."""
    still_open = app[OPEN]
    for watch in tuple(still_open):
        watch.end()


def _next_bookmark(now: float, end: float) -> float:
    """Return when the next bookmark is due: every minute, and once more shortly before the end."""
    last = end - LAST_BOOKMARK_S
    return min(now + BOOKMARK_S, last) if now < last else now + BOOKMARK_S


async def stream(request: web.Request, watch: Watch, options: ListOptions) -> web.StreamResponse:
    """Send a watch until its time is up, the client goes, or the server closes."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    loop = asyncio.get_running_loop()
    timeout_s = options.timeout_s if options.timeout_s is not None else random.randint(*DEFAULT_TIMEOUT_S)
    end = loop.time() + timeout_s
    next_bookmark = _next_bookmark(loop.time(), end)
    request.app[OPEN].add(watch)
    try:
        await response.prepare(request)
        while True:
            if data := watch.take():
                await response.write(data)
            if watch.broken or (left := end - loop.time()) <= 0:
                break
            wait_s = min(left, next_bookmark - loop.time()) if options.bookmarks else left
            await event_within(watch.ready, max(wait_s, 0.0))
            if options.bookmarks and loop.time() >= next_bookmark:
                watch.bookmark()
                next_bookmark = _next_bookmark(loop.time(), end)
        await response.write_eof()
    except (ConnectionError, asyncio.CancelledError):
        # The client left or the server closes; there is nobody to tell.
        pass
    finally:
        request.app[OPEN].discard(watch)
        watch.close()
    return response
