"""A small Kubernetes client: objects are dictionaries, collections are paths, errors are Status objects."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp

from stormlab.errors import LabError
from stormlab.wait import pause

Object = dict[str, Any]

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"

SYNCED = "SYNCED"
"""Event type of `watch`: what came before is the whole list."""

_TIMEOUT_S = 10.0
_RETRY_S = (0.1, 0.2, 0.5, 1.0)
_MAX_LINE = 8 * 1024**2


class ApiError(LabError):
    """The API refused or did not answer; `code` is the HTTP status, 0 when there was no answer."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(message or reason or f"HTTP {code}")


class Client:
    """One region's API. An asynchronous context manager; safe for concurrent use in one loop."""

    def __init__(self, base_url: str, ca_path: Path | str, token: str) -> None:
        self._base = base_url.rstrip("/")
        context = ssl.create_default_context(cafile=str(ca_path))
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=64, socket_factory=_socket),
            headers={"Authorization": f"Bearer {token}", "Accept": JSON},
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
            read_bufsize=_MAX_LINE,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def request(self, method: str, path: str, body: Any = None, content_type: str = JSON) -> Object:
        """One call, its answer parsed. Raises ApiError."""
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        headers = {} if body is None else {"Content-Type": content_type}
        try:
            async with self._session.request(method, self._base + path, data=data, headers=headers) as answer:
                text = await answer.read()
                if answer.status >= 400:
                    raise _refusal(answer.status, text)
                return dict(json.loads(text))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unreachable(self._base, error) from error
        except ValueError as error:
            raise ApiError(0, "NotJSON", f"{method} {path}: the answer is not JSON") from error

    async def get(self, path: str) -> Object:
        """Read one object, or a whole list object."""
        return await self.request("GET", path)

    async def list(self, path: str, *, labels: str = "", fields: str = "") -> list[Object]:
        """Items of a collection that the selectors pick."""
        return list((await self.get(path + _query(labels, fields)))["items"])

    async def create(self, path: str, body: Object) -> Object:
        """POST to a collection; 409 AlreadyExists when the name is taken."""
        return await self.request("POST", path, body)

    async def replace(self, path: str, body: Object) -> Object:
        """PUT an object; 409 Conflict when its resourceVersion is not the present one."""
        return await self.request("PUT", path, body)

    async def patch(self, path: str, body: Any, content_type: str = STRATEGIC_PATCH) -> Object:
        """PATCH an object or a subresource."""
        return await self.request("PATCH", path, body, content_type)

    async def delete(self, path: str, *, grace_s: int | None = None, uid: str | None = None) -> Object:
        """DELETE an object; with `uid` only if it is that very one (409 otherwise)."""
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        return await self.request("DELETE", path, options)

    async def watch(
        self, path: str, *, labels: str = "", fields: str = ""
    ) -> AsyncIterator[tuple[str, Object]]:
        """Yield (type, object) for ever: the list as ADDED, then SYNCED, then changes.

        A break or an expired version leads to a new list; what it shows anew is ADDED or MODIFIED, what it
        no longer shows DELETED (with the last object seen), then SYNCED again. An API that does not answer
        or fails is asked again, after at most 1 s; ApiError is raised only when it refuses (4xx).
        """
        known: dict[str, Object] = {}
        failures = 0
        while True:
            try:
                listed = await self.get(path + _query(labels, fields))
                for event in _difference(known, listed):
                    yield event
                yield SYNCED, {}
                failures = 0
                version = listed["metadata"]["resourceVersion"]
                async with contextlib.aclosing(self._changes(path, labels, fields, version)) as changes:
                    async for kind, item in changes:
                        if kind == "DELETED":
                            known.pop(item["metadata"]["uid"], None)
                        else:
                            known[item["metadata"]["uid"]] = item
                        yield kind, item
            except ApiError as error:
                if error.code not in {0, 410} and error.code < 500:
                    raise
            await pause(_RETRY_S[min(failures, len(_RETRY_S) - 1)])
            failures += 1

    async def _changes(
        self, path: str, labels: str, fields: str, version: str
    ) -> AsyncGenerator[tuple[str, Object], None]:
        """Events of one watch call until it breaks; ends or raises ApiError."""
        query = _query(labels, fields, watch="1", allowWatchBookmarks="true", resourceVersion=version)
        endless = aiohttp.ClientTimeout(total=None, sock_connect=_TIMEOUT_S)
        try:
            async with self._session.get(self._base + path + query, timeout=endless) as answer:
                if answer.status >= 400:
                    raise _refusal(answer.status, await answer.read())
                async for line in answer.content:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise _refusal(event["object"].get("code", 500), json.dumps(event["object"]).encode())
                    if event["type"] != "BOOKMARK":
                        yield event["type"], event["object"]
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _unreachable(self._base, error) from error


def _socket(info: tuple[Any, ...]) -> socket.socket:
    """A socket that notices within half a minute that the other side is gone without a word."""
    made = socket.socket(info[0], info[1], info[2])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    return made


def _query(labels: str, fields: str, **more: str) -> str:
    pairs = {"labelSelector": labels, "fieldSelector": fields} | more
    given = {key: value for key, value in pairs.items() if value}
    return f"?{urlencode(given)}" if given else ""


def _difference(known: dict[str, Object], listed: Mapping[str, Any]) -> list[tuple[str, Object]]:
    """Events that lead from what is known to a list; `known` becomes the list."""
    items = {item["metadata"]["uid"]: item for item in listed["items"]}
    kind = str(listed.get("kind", "")).removesuffix("List")
    for item in items.values():  # items of a list do not carry these, single objects do
        item.setdefault("kind", kind)
        item.setdefault("apiVersion", listed.get("apiVersion", ""))
    events = [("DELETED", known[uid]) for uid in known.keys() - items.keys()]
    for uid, item in items.items():
        if uid not in known:
            events.append(("ADDED", item))
        elif known[uid]["metadata"]["resourceVersion"] != item["metadata"]["resourceVersion"]:
            events.append(("MODIFIED", item))
    known.clear()
    known.update(items)
    return events


def _refusal(code: int, text: bytes) -> ApiError:
    try:
        status = json.loads(text)
        return ApiError(int(status.get("code", code)), status.get("reason", ""), status.get("message", ""))
    except (ValueError, AttributeError, TypeError):
        return ApiError(code, "", f"HTTP {code}: {text[:200].decode('utf-8', 'replace').strip()}")


def _unreachable(base: str, error: BaseException) -> ApiError:
    return ApiError(0, "Unreachable", f"{base} does not answer: {error or type(error).__name__}")
