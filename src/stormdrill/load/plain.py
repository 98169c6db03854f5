"""What can be known about a request of a plain locustfile: its operation, its money, and why it failed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from stormdrill.estate import Idempotency, Operation
from stormdrill.load.outcomes import Trouble

# By class name: the libraries that raise them are imported only inside the child.
_CONNECT = {
    "ConnectTimeout",
    "ConnectTimeoutError",
    "NewConnectionError",
    "ConnectionRefusedError",
    "gaierror",
}
_TIMEOUT = {"ReadTimeout", "ReadTimeoutError", "TimeoutError", "Timeout"}
_TOLD = 20  # names of unmatched requests that are told; paths may hold a number that is never the same


class Names:
    """Locust's `METHOD name` texts to the topology's operations; the path stands in for a missing name."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._known = {match: index for index, each in enumerate(operations) for match in each.match}

    def operation(self, method: str, url: str, name: str | None) -> int | None:
        """The operation's number; None when no operation claims this request."""
        path = urlsplit(url).path or "/"
        candidates = [name] if name else [url, path]
        return next(
            (self._known[text] for text in self._texts(method, candidates) if text in self._known), None
        )

    @staticmethod
    def text(method: str, url: str, name: str | None) -> str:
        """What a `match` for this request would be."""
        return f"{method.upper()} {name or urlsplit(url).path or '/'}"

    @staticmethod
    def _texts(method: str, names: Sequence[str]) -> Iterator[str]:
        for name in names:
            yield f"{method.upper()} {name}"


class Unmatched:
    """Says once of each request that no operation claims that it is not recorded; shared by all users."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def tell(self, text: str) -> None:
        """`text` as the topology's `match` would have to state it."""
        if text in self._told or len(self._told) >= _TOLD:
            return
        self._told.add(text)
        more = "; no more of these are told" if len(self._told) == _TOLD else ""
        print(f"not recorded: '{text}' matches no operation of the topology{more}", file=sys.stderr)


def money(idempotency: Idempotency | None, body: Any) -> tuple[int, int]:
    """Amount and target from a JSON body (a mapping, text or bytes); 0 where there is no whole number."""
    if idempotency is None:
        return 0, 0
    if isinstance(body, str | bytes):
        try:
            body = json.loads(body)
        except ValueError:
            return 0, 0
    if not isinstance(body, Mapping):
        return 0, 0
    return _whole(body.get(idempotency.amount_field)), _whole(body.get(idempotency.target_field))


def trouble_of(error: BaseException) -> Trouble:
    """How an exchange ended, from what the client raised.

    Only what surely happened before anything was sent counts as a failed connection.
    """
    names = {type(each).__name__ for each in _chain(error)}
    if names & _CONNECT:
        return Trouble.CONNECT
    return Trouble.TIMEOUT if names & _TIMEOUT else Trouble.RESET


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and all those it wraps, in any of the ways libraries do it."""
    todo, seen = [error], set()
    while todo:
        each = todo.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        wrapped = [each.__cause__, each.__context__, *each.args]
        wrapped += [getattr(each, name, None) for name in ("reason", "original", "error")]
        todo.extend(item for item in wrapped if isinstance(item, BaseException))


def _whole(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
