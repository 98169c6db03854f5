"""Lists: selection, pages at one version, exact versions, and versions yet to come (topic 03)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from dataclasses import dataclass

from stormlab.api.custom.kind import CustomKind
from stormlab.api.jsontree import Tree
from stormlab.api.kinds import Kind
from stormlab.api.record import Event, Record
from stormlab.api.status import ApiError, bad_request, expired
from stormlab.api.store import Store, TooOldError
from stormlab.api.web.query import ListOptions
from stormlab.wait import event_within

FUTURE_WAIT_S = 3.0
_CONTINUE_VERSION = "meta.k8s.io/v1"
_TOO_OLD_PAGE = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new "
    "list without the continue parameter, or use the continue token in this response to retrieve the "
    "remainder of the results. Continuing with the provided token results in an inconsistent list - objects "
    "that were created, modified, or deleted between the time the first chunk was returned and now may show "
    "up in the list."
)


@dataclass(frozen=True, slots=True)
class Page:
    """The records of one answer and what its metadata says."""

    records: list[Record]
    version: int
    next_token: str = ""
    remaining: int | None = None

    @property
    def metadata(self) -> Tree:
        """Return the list's metadata."""
        made: Tree = {"resourceVersion": str(self.version)}
        if self.next_token:
            made["continue"] = self.next_token
        if self.remaining is not None:
            made["remainingItemCount"] = self.remaining
        return made


def token(version: int, key: str) -> str:
    """Return a continue token: the list's version (-1: any) and the last key shown."""
    text = json.dumps({"v": _CONTINUE_VERSION, "rv": version, "start": f"{key}\0"}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_token(text: str) -> tuple[int, str]:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        value = json.loads(raw)
        return int(value["rv"]), str(value["start"]).removesuffix("\0")
    except (binascii.Error, ValueError, KeyError, TypeError, UnicodeDecodeError):
        raise bad_request("invalid continue token: continue key is not valid: malformed value") from None


async def wait_for_version(store: Store, version: int | None) -> None:
    """Wait until the store has reached `version`; ApiError 504 when it does not within 3 s."""
    if version is None or version <= store.version:
        return
    reached = asyncio.Event()

    def listener(event: Event) -> None:
        if event.version >= version:
            reached.set()

    stop = store.listen_all(listener)
    try:
        if await event_within(reached, FUTURE_WAIT_S):
            return
    finally:
        stop()
    message = f"Too large resource version: {version}, current: {store.version}"
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    raise ApiError(504, "Timeout", f"Timeout: {message}", {"causes": [cause]}, retry_after_s=1)


def take_page(store: Store, kind: Kind, options: ListOptions) -> Page:
    """Return what a list asks for; ApiError 400 or 410."""
    start, version = "", None
    if options.continue_from:
        version, start = _read_token(options.continue_from)
    elif options.match == "Exact" or (options.limit and options.version and not options.match):
        # The first of several pages shows the version that was asked for, too.
        version = options.version
    at_version = None if version in {None, -1} else version
    try:
        records = store.records(kind, options.selection.namespace, version=at_version)
    except TooOldError:
        if options.continue_from:
            raise expired(_TOO_OLD_PAGE, {"continue": token(-1, start)}) from None
        raise expired("The resourceVersion for the provided list is too old.") from None
    if start:
        records = [record for record in records if record.key > start]
    shown = store.version if at_version is None else at_version
    accept = options.selection.test if options.selection.narrow else None
    # A list from the cache (version 0) comes whole, whatever the limit.
    limit = 0 if options.version == 0 else options.limit
    if accept is not None:
        records = [record for record in records if accept(record)]
    if not limit or len(records) <= limit:
        return Page(records, shown)
    page = records[:limit]
    remaining = None if accept is not None else len(records) - limit
    return Page(page, shown, token(-1 if version == -1 else shown, page[-1].key), remaining)


def encode_page(kind: Kind, page: Page) -> bytes:
    """Return the list's bytes, joined from the items' cached bytes."""
    shown = page.metadata
    if isinstance(kind, CustomKind):
        shown = {"continue": "", **shown}
    metadata = json.dumps(shown, separators=(",", ":"))
    head = f'{{"kind":"{kind.list_kind}","apiVersion":"{kind.api_version}","metadata":{metadata},"items":['
    return head.encode() + b",".join([record.listed for record in page.records]) + b"]}\n"
