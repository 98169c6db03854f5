"""Following a collection of the API for ever, whatever it answers and whatever one of its objects does to us."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NoReturn

from stormlab.client import SYNCED, ApiError, Client, Object
from stormlab.node.context import log
from stormlab.wait import pause

_AGAIN_S = 1.0

Heard = Callable[[str, Object], Awaitable[None]]
"""Told the type of an event and its object, as by `Client.watch`."""


async def follow(client: Client, path: str, heard: Heard, *, fields: str = "") -> NoReturn:
    """Tell `heard` what the API has, then each change, as `Client.watch` does, but never give up.

    An API that refuses is asked again, and what went meanwhile is told as DELETED before the next SYNCED. An object
    that `heard` cannot deal with is told of in the log and passed over.
    """
    known: dict[str, Object] = {}
    while True:
        listed: set[str] = set()
        try:
            async for kind, item in client.watch(path, fields=fields):
                if kind == SYNCED:
                    for uid in known.keys() - listed:
                        await _tell(path, heard, "DELETED", known.pop(uid))
                elif kind == "DELETED":
                    listed.discard(item["metadata"]["uid"])
                    known.pop(item["metadata"]["uid"], None)
                else:
                    listed.add(item["metadata"]["uid"])
                    known[item["metadata"]["uid"]] = item
                await _tell(path, heard, kind, item)
        except ApiError as error:
            log.error("%s: the API refuses this node: %s", path, error)
        await pause(_AGAIN_S)


async def _tell(path: str, heard: Heard, kind: str, item: Object) -> None:
    try:
        await heard(kind, item)
    except Exception:  # noqa: BLE001  one object's surprise must not end the node
        name = item.get("metadata", {}).get("name", "")
        log.exception("%s: %s %s is passed over", path, kind, name)
