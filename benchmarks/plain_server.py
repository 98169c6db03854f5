"""The plain way beside the API server, as a process of its own: bytes over TLS to whoever asks, lines to many at once.

`python plain_server.py BODY CERTIFICATE KEY` prints two ports: the first answers each request with BODY over TLS, the
second tells every connection what any of them sends.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import threading
from pathlib import Path

_END = b"\r\n\r\n"


def main() -> None:
    """Serve until standard input ends."""
    body, certificate, key = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    data = Path(body).read_bytes()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data
    bulk, relay = (socket.create_server(("127.0.0.1", 0), backlog=128) for _ in range(2))
    for listening, serve in ((bulk, lambda made: _answer(context, made, answer)), (relay, _Told().join)):
        threading.Thread(target=_accept, args=(listening, serve), daemon=True).start()
    print(bulk.getsockname()[1], relay.getsockname()[1], flush=True)
    sys.stdin.read()


def _accept(listening: socket.socket, serve) -> None:  # noqa: ANN001 - one line, two callers
    while True:
        made, _ = listening.accept()
        threading.Thread(target=serve, args=(made,), daemon=True).start()


def _answer(context: ssl.SSLContext, made: socket.socket, answer: bytes) -> None:
    with contextlib.suppress(OSError), context.wrap_socket(made, server_side=True) as served:
        asked = b""
        while data := served.recv(65536):
            asked += data
            if asked.endswith(_END):
                served.sendall(answer)
                asked = b""


class _Told:
    """All connections, each told what any of them says."""

    def __init__(self) -> None:
        self._all: list[socket.socket] = []

    def join(self, made: socket.socket) -> None:
        """Belong to them until the other side leaves."""
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._all.append(made)
        with contextlib.suppress(OSError):
            while data := made.recv(65536):
                for other in tuple(self._all):
                    other.sendall(data)
        self._all.remove(made)


if __name__ == "__main__":
    main()
