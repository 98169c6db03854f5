"""What the API server says of faults, as messages to the agent's loop: all there are, then each change."""

from __future__ import annotations

import queue
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from stormdrill import wait
from stormdrill.agent.access import Access
from stormdrill.agent.api import Api, Refused
from stormdrill.agent.rules import Endpoint
from stormdrill.errors import TargetError
from stormdrill.faultspec import GROUP, NAMESPACE, PLURAL, VERSION

FAULTS = f"/apis/{GROUP}/{VERSION}/namespaces/{NAMESPACE}/{PLURAL}"
_ENDPOINTS = "/api/v1/namespaces/default/endpoints/kubernetes"
_TURN_S = 25
_SHORT_S = 0.5
_GAP_S = 5.0
_SOUND_S = 5.0
"""A turn that lasted so long is no reason to hold back the next: longer than an answer is waited for."""
_RETRY_S = (0.1, 0.2, 0.5, 1.0)

Json = dict[str, Any]


@dataclass(frozen=True)
class Listed:
    """Every fault there is, when this was seen (monotonic seconds), and where the API is."""

    objects: tuple[Json, ...]
    at_s: float
    api: tuple[Endpoint, ...]
    after_gap: bool
    """Nothing had been heard for a while: what is new here may have been left by a holder that is gone."""


@dataclass(frozen=True)
class Seen:
    """A fault that is new or has changed."""

    body: Json
    at_s: float


@dataclass(frozen=True)
class Gone:
    """A fault that was deleted."""

    body: Json


@dataclass
class Contact:
    """When the API server last said anything, on the monotonic clock; None before that."""

    at_s: float | None = None

    def now(self) -> float:
        """It did, now; that time."""
        self.at_s = time.monotonic()
        return self.at_s


Inbox = queue.Queue[Any]
"""Not a SimpleQueue: CPython 3.11's may wait for ever when its timeout passes while it looks, and a lease with it."""


def watch(access: Access, inbox: Inbox, contact: Contact) -> None:
    """Fill the inbox for ever (a thread's body). What goes wrong is tried again, soon and then every second."""
    api, failures, said = Api(access), 0, ""
    while True:
        begun_s = time.monotonic()
        try:
            for message in _turn(api, access, contact):
                inbox.put(message)
        except TargetError as error:
            if time.monotonic() - begun_s > _SOUND_S:
                failures, said = 0, ""
            if said != str(error):
                said = str(error)
                print(f"faults cannot be watched: {error}", file=sys.stderr, flush=True)
            wait.pause(_RETRY_S[min(failures, len(_RETRY_S) - 1)])
            failures += 1


def _turn(api: Api, access: Access, contact: Contact) -> Iterator[Listed | Seen | Gone]:
    """List, then watch from there. It ends with a TargetError only: the server may have forgotten where that was."""
    before_s = contact.at_s
    listed = api.get(FAULTS)
    at_s = contact.now()
    version = str((listed.get("metadata") or {}).get("resourceVersion", ""))
    gap = before_s is None or at_s - before_s > _GAP_S
    yield Listed(tuple(listed.get("items") or ()), at_s, tuple(_api(api, access)), gap)
    while True:
        begun_s = time.monotonic()
        query = f"watch=1&allowWatchBookmarks=true&timeoutSeconds={_TURN_S}&resourceVersion={version}"
        for event in api.watch(f"{FAULTS}?{query}", _TURN_S + 5.0):
            at_s = contact.now()
            body = event.get("object") or {}
            if event.get("type") == "ERROR":
                raise TargetError(
                    f"the API server ended the watch: {body.get('message') or body.get('reason')}"
                )
            version = str(body.get("metadata", {}).get("resourceVersion", version))
            if event.get("type") == "DELETED":
                yield Gone(body)
            elif event.get("type") in ("ADDED", "MODIFIED"):
                yield Seen(body, at_s)
        if time.monotonic() - begun_s < _SHORT_S:
            raise TargetError("the API server ends each watch at once")


def _api(api: Api, access: Access) -> Iterator[Endpoint]:
    """All addresses of the API: ours, and those its service leads to where we may ask."""
    with suppress(OSError):
        yield from access.addresses()
    try:
        for subset in api.get(_ENDPOINTS).get("subsets") or ():
            for port in subset.get("ports") or ():
                yield from ((str(one["ip"]), int(port["port"])) for one in subset.get("addresses") or ())
    except (Refused, KeyError, TypeError, ValueError):
        return
