"""The relay that carries the lab's links, beside the kernel's loopback."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from statistics import median

from benchmarks import tinylab
from benchmarks.figure import Figure, Skipped, in_turn
from stormlab.net import netns

_BULK_S, _BLOCK = 1.0, bytes(1 << 16)
_HOST = "127.0.0.1"


def relaying() -> Iterator[Figure | Skipped]:
    """Round trip and throughput between two zones; needs root."""
    if os.geteuid() != 0:
        for name in ("relay.delay_error_ms", "relay.throughput_mbit_s"):
            yield Skipped(name, "needs root (network namespaces)")
        return
    with tinylab.network() as (estate, _):
        a, b = (zone.netns for zone in estate.zones)
        address = estate.zones[0].address
        ours_ms, plain_ms = in_turn(
            lambda: _round_trip_ms(a, address, b), lambda: _round_trip_ms(None, _HOST, None), 3
        )
        bulk = in_turn(lambda: _mbit_s(a, address, b), lambda: _mbit_s(None, _HOST, None), 3)
    yield Figure(
        "relay.delay_error_ms", "ms", ours_ms - tinylab.RTT_MS, plain_ms,
        f"round trip beyond the declared {tinylab.RTT_MS:g} ms; plain: loopback's",
        limit=max(1.0, tinylab.RTT_MS / 10), worst=abs(ours_ms - tinylab.RTT_MS),
    )  # fmt: skip
    yield Figure(
        "relay.throughput_mbit_s", "Mbit/s", *bulk, "one TCP flow between two zones; plain: loopback"
    )


def _socket(space: str | None, kind: socket.SocketKind) -> socket.socket:
    def make() -> socket.socket:
        made = socket.socket(socket.AF_INET, kind)
        made.settimeout(10)
        return made

    return make() if space is None else netns.within(space, make)


def _round_trip_ms(at: str | None, address: str, of: str | None) -> float:
    """Median of small UDP packets, one after the other, and back."""
    with _socket(at, socket.SOCK_DGRAM) as served, _socket(of, socket.SOCK_DGRAM) as client:
        served.bind((address, 0))
        found = []
        for _ in range(200):
            began = time.perf_counter()
            client.sendto(b"x", served.getsockname())
            served.sendto(*served.recvfrom(10))
            client.recv(10)
            found.append((time.perf_counter() - began) * 1000)
        return median(found)


def _mbit_s(at: str | None, address: str, of: str | None) -> float:
    """What one TCP flow carries in `_BULK_S` seconds, counted where it arrives."""
    with _socket(at, socket.SOCK_STREAM) as listening, _socket(of, socket.SOCK_STREAM) as client:
        listening.bind((address, 0))
        listening.listen()
        client.connect(listening.getsockname())
        served = listening.accept()[0]
        sender = threading.Thread(target=_send, args=(client,))
        began, received = time.perf_counter(), 0
        sender.start()
        with served:
            while data := served.recv(1 << 18):
                received += len(data)
        took_s = time.perf_counter() - began
        sender.join()
    return received * 8 / took_s / 1e6


def _send(client: socket.socket) -> None:
    end = time.perf_counter() + _BULK_S
    while time.perf_counter() < end:
        client.sendall(_BLOCK)
    client.shutdown(socket.SHUT_WR)
