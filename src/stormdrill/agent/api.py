"""One marked connection to the API server: requests, and a watch as lines of JSON."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from stormdrill.agent.access import Access
from stormdrill.agent.rules import MARK
from stormdrill.connection import why
from stormdrill.errors import TargetError

_SILENT_MS = 4000
_KEEPALIVE = (
    (socket.TCP_KEEPIDLE, 2), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 3),
    (socket.TCP_USER_TIMEOUT, _SILENT_MS),
)  # fmt: skip


class Refused(TargetError):  # noqa: N818 - an answer
    """The API server said no; `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


class Api:
    """Requests on a kept connection. Of one thread. TargetError when there is no answer, Refused for a no."""

    def __init__(self, access: Access, timeout_s: float = 3.0) -> None:
        self._access = access
        self._timeout_s = timeout_s
        self._connection: _Connection | None = None

    def get(self, path: str) -> dict[str, Any]:
        """One object, or a list as it is."""
        return self._request("GET", path, None)

    def merge(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Merge-patch: null removes, absent leaves."""
        return self._request("PATCH", path, body)

    def watch(self, path: str, silence_s: float) -> Iterator[dict[str, Any]]:
        """The events of a watch until the server ends it. TargetError when nothing comes for `silence_s`."""
        connection = _Connection(self._access, self._timeout_s)
        try:
            connection.request("GET", path, headers=self._headers())
            answer = connection.getresponse()
            if answer.status != 200:
                raise _refusal("GET", path, answer.status, answer.read())
            connection.sock.settimeout(silence_s)
            while line := answer.readline():
                event = json.loads(line)
                if not isinstance(event, dict):
                    raise TargetError("the API server's watch said what is no event")
                yield event
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise TargetError(f"the API server's watch ended: {why(error)}") from None
        finally:
            connection.close()

    def _request(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        fresh = self._connection is None
        try:
            status, answer = self._exchange(method, path, body)
        except (OSError, http.client.HTTPException) as error:
            self._close()
            if fresh:
                raise TargetError(f"the API server gave no answer: {why(error)}") from None
            return self._request(method, path, body)  # a kept connection may have been closed meanwhile
        if not 200 <= status <= 299:
            raise _refusal(method, path, status, answer)
        try:
            return dict(json.loads(answer))
        except (ValueError, TypeError):
            raise TargetError(f"{method} {path}: the answer is no object") from None

    def _exchange(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = _Connection(self._access, self._timeout_s)
        content = None if body is None else json.dumps(body).encode()
        headers = self._headers()
        if content is not None:
            headers["Content-Type"] = "application/merge-patch+json"
        self._connection.request(method, path, content, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def _headers(self) -> dict[str, str]:
        return {"Accept": "application/json", "User-Agent": "stormdrill-agent", **self._access.headers()}

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Connection(http.client.HTTPConnection):
    """A connection whose packets carry the agent's mark from the first on, and that notices a silent peer."""

    sock: socket.socket

    def __init__(self, access: Access, timeout_s: float) -> None:
        super().__init__(access.host, access.port, timeout=timeout_s)
        self._access = access

    def connect(self) -> None:
        """To the first address that answers."""
        failure: OSError = OSError("no address")
        for address in self._access.addresses():
            try:
                self.sock = self._open(address)
            except OSError as error:
                failure = error
            else:
                return
        raise failure

    def _open(self, address: tuple[str, int]) -> socket.socket:
        raw = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
        try:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for option, value in _KEEPALIVE:
                raw.setsockopt(socket.IPPROTO_TCP, option, value)
            raw.settimeout(self.timeout)
            raw.connect(address)
            if self._access.tls is None:
                return raw
            return self._access.tls.wrap_socket(
                raw, server_hostname=self._access.server_name or self._access.host
            )
        except OSError:
            with suppress(OSError):
                raw.close()
            raise


def _refusal(method: str, path: str, status: int, answer: bytes) -> Refused:
    try:
        said = str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        said = answer[:200].decode(errors="replace").strip()
    return Refused(status, f"{method} {path.partition('?')[0]}: {status} {said}")
