"""HTTP/1.1 to the edges over pooled keep-alive connections, one attempt at a time, with nothing tried twice.

Locust's own clients hide what a drill must see: they repeat a request whose connection broke, and do not say
whether anything was sent. Here an exchange says which of the two it was, and its timeout covers all of it.
"""

from __future__ import annotations

import socket
import ssl
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import gevent
import gevent.socket
import gevent.ssl
from geventhttpclient.response import HTTPParseError, HTTPResponse

from stormdrill.estate import Edge
from stormdrill.load.outcomes import Trouble

_PEEK = socket.MSG_PEEK | socket.MSG_DONTWAIT
_BLOCK = 65_536
IDLE_KEPT = 512


@dataclass(slots=True)
class Exchange:
    """One attempt on the wire. `trouble` None means that a whole answer came, at `answered_ns`."""

    sent_ns: int
    answered_ns: int = 0
    status: int = 0
    body: bytes = b""
    retry_after_s: float = 0.0
    trouble: Trouble | None = None
    why: str = ""


class Line:
    """The connections to one edge."""

    def __init__(self, edge: Edge, connect_timeout_s: float, authority: str = "") -> None:
        url = urlsplit(edge.url)
        self.host = url.hostname or ""
        self.port = url.port or (443 if url.scheme == "https" else 80)
        self.netloc = url.netloc
        self.prefix = url.path.rstrip("/")
        self._tls = _trust(authority) if url.scheme == "https" else None
        self._told: set[str] = set()
        self._connect_timeout_s = connect_timeout_s
        self._idle: deque[gevent.socket.socket] = deque(maxlen=IDLE_KEPT)

    def take(self) -> gevent.socket.socket:
        """An idle connection that the other side has not closed, or a new one. OSError when there is none."""
        while self._idle:
            connection = self._idle.pop()
            if _quiet(connection):
                return connection
            connection.close()
        return self._connect()

    def give_back(self, connection: gevent.socket.socket) -> None:
        """Keep a connection for the next request; beyond the limit, close it."""
        if len(self._idle) < IDLE_KEPT:
            self._idle.append(connection)
        else:
            connection.close()

    def _connect(self) -> gevent.socket.socket:
        connection = gevent.socket.create_connection((self.host, self.port), self._connect_timeout_s)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                connection = self._secured(self._tls, connection)
            connection.settimeout(None)
        except BaseException:
            connection.close()
            raise
        return connection

    def _secured(self, tls: ssl.SSLContext, connection: gevent.socket.socket) -> gevent.ssl.SSLSocket:
        try:
            return tls.wrap_socket(connection, server_hostname=self.host)
        except ssl.SSLCertVerificationError as error:
            # Every request of every phone fails of it; said once in the log, it is found.
            if error.verify_message not in self._told:
                self._told.add(error.verify_message)
                print(f"https://{self.netloc}: {error.verify_message}", file=sys.stderr, flush=True)
            raise


class Wire:
    """The way to all edges. `authorities` are the PEM of whoever signs for each of them, as `LoadConfig` has it."""

    def __init__(
        self, edges: Sequence[Edge], connect_timeout_s: float, authorities: Sequence[str] = ()
    ) -> None:
        signed = dict(enumerate(authorities))
        self.lines = [
            Line(edge, connect_timeout_s, signed.get(number, "")) for number, edge in enumerate(edges)
        ]

    def exchange(self, site: int, head: str, body: bytes, timeout_s: float) -> Exchange:
        """Send one request to edge number `site` and wait for the whole answer, at most `timeout_s` in all.

        `head` is `METHOD path` followed by header lines, all but Host and Content-Length. A greenlet that is
        killed meanwhile closes its connection.
        """
        line = self.lines[site]
        exchange = Exchange(time.monotonic_ns())
        connection: gevent.socket.socket | None = None
        timeout = gevent.Timeout(timeout_s)
        timeout.start()
        try:
            connection = line.take()
            connection.sendall(_request(line, head, body))
            response = _receive(connection)
            answered_ns = time.monotonic_ns()
            exchange.status, exchange.body = response.get_code(), bytes(response._body_buffer)  # noqa: SLF001
            exchange.retry_after_s = _seconds(response.get("retry-after"))
            if not response.should_close():
                line.give_back(connection)
                connection = None
            exchange.answered_ns = answered_ns
        except gevent.Timeout as late:
            if late is not timeout:
                raise
            exchange.trouble = Trouble.TIMEOUT if connection else Trouble.CONNECT
        except (OSError, ssl.SSLError, HTTPParseError) as error:
            exchange.trouble = Trouble.RESET if connection else Trouble.CONNECT
            exchange.why = str(error)
        finally:
            timeout.close()
            if connection is not None:
                connection.close()
        return exchange


def _trust(authority: str) -> ssl.SSLContext:
    context: ssl.SSLContext = gevent.ssl.create_default_context(cadata=authority or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _request(line: Line, head: str, body: bytes) -> bytes:
    method_and_path, _, headers = head.partition("\r\n")
    method, path = method_and_path.split(" ", 1)
    length = f"Content-Length: {len(body)}\r\n" if body or method != "GET" else ""
    text = f"{method} {line.prefix}{path} HTTP/1.1\r\nHost: {line.netloc}\r\n{headers}{length}\r\n"
    return text.encode("latin-1") + body


def _receive(connection: gevent.socket.socket) -> HTTPResponse:
    response = HTTPResponse()
    while not response.message_complete or response.get_code() < 200:
        data = connection.recv(_BLOCK)
        response.feed(data)
        if not data and not response.message_complete:
            raise ConnectionResetError("connection closed before the end of the answer")
    return response


def _quiet(connection: gevent.socket.socket) -> bool:
    """Whether an idle connection is still open: nothing to read, not even its end."""
    try:
        connection._sock.recv(1, _PEEK)  # noqa: SLF001 - gevent's own recv would wait
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _seconds(text: object) -> float:
    try:
        return max(0.0, float(str(text))) if text is not None else 0.0
    except ValueError:
        return 0.0
