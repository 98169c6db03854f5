"""The link relay: one process that carries every packet between sites, each as its link lets it."""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import select
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stormlab.errors import LabError
from stormlab.estate import Estate
from stormlab.net import tun
from stormlab.net.control import Control
from stormlab.net.links import Links
from stormlab.net.setup import WAN
from stormlab.priority import go_before_others
from stormlab.topologyfile import of_state

SOCKET = "relay.sock"
_BATCH = 64
_MOST_EARLY_NS = 300_000
_PR_SET_TIMERSLACK = 29
_IP = tun.HEADER_BYTES
_DESTINATION = _IP + 16


class Relay:
    """Sites by index, a descriptor for each, and the packets between them."""

    def __init__(self, estate: Estate, descriptors: Sequence[int]) -> None:
        self._fds = list(descriptors)
        names = [site.name for site in estate.sites]
        self._links = Links(names, estate.links, f"{estate.name} {estate.link_seed}")
        self._line = self._links.line
        self._route = _routes(estate)
        self._unroutable = 0
        self._refused = 0
        self._early_ns = 0
        self._forwarded = 0

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Serve one control request: {"get": true} or {"set": {"between": [a, b], "rtt_ms": x, "up": y}}."""
        if "set" in request:
            self._links.change(request["set"])
        elif not request.get("get"):
            raise LabError('ask {"get": true} or {"set": {"between": [a, b], "rtt_ms": x}}')
        return {
            "implementation": "tun",
            "links": self._links.told(),
            "forwarded": self._forwarded,
            "dropped": self._line.dropped,
            "unroutable": self._unroutable,
            "refused": self._refused,
        }

    def run(self, control: Control) -> None:
        """Carry packets for ever. This loop turns twice for each packet: it is kept short."""
        site_of = {fd: index for index, fd in enumerate(self._fds)}
        clock, next_due_ns = time.monotonic_ns, self._line.next_due_ns
        while True:
            due_ns = next_due_ns()
            timeout_s = None if due_ns is None else max(0, due_ns - self._early_ns - clock()) / 1e9
            # select, not epoll: its timeout has microseconds, epoll's in Python only milliseconds.
            ready, _, _ = select.select([*self._fds, *control.filenos()], [], [], timeout_s)
            for fd in ready:
                if fd in site_of:
                    self._read(fd, site_of[fd])
                else:
                    control.serve(fd, self.answer)
            if due_ns is not None:
                now_ns = clock()
                if not ready:
                    self._learn(now_ns - due_ns + self._early_ns)
                self._deliver(now_ns + self._early_ns)

    def _read(self, fd: int, source: int) -> None:
        route, push, read = self._route, self._line.push, os.read
        now_ns = time.monotonic_ns()
        try:
            for _ in range(_BATCH):
                packet = read(fd, tun.READ_BYTES)
                to = route.get(packet[_DESTINATION : _DESTINATION + 3])
                if to is None:
                    to = route.get(packet[_DESTINATION : _DESTINATION + 2])
                if to is None or to == source:
                    self._unroutable += 1
                else:
                    push((source, to), packet, now_ns)
        except BlockingIOError:
            return

    def _learn(self, late_ns: int) -> None:
        """Waking up takes time, more on an idle machine: aim as much earlier as it has taken so far."""
        self._early_ns += (min(max(late_ns, 0), _MOST_EARLY_NS) - self._early_ns) // 8

    def _deliver(self, now_ns: int) -> None:
        fds, write = self._fds, os.write
        for to, packet in self._line.due(now_ns):
            try:
                write(fds[to], packet)
                self._forwarded += 1
            except OSError:
                self._refused += 1  # the device is down: the packet is lost, as on a real link


def _routes(estate: Estate) -> dict[bytes, int]:
    """First bytes of an address to the index of its site; service addresses go to a region's first node."""
    routes = {site.network.network_address.packed[:3]: index for index, site in enumerate(estate.sites)}
    index_of = {site.name: index for index, site in enumerate(estate.sites)}
    for region in estate.regions:
        routes[region.service_network.network_address.packed[:2]] = index_of[region.zones[0].name]
    return routes


def _be_punctual() -> None:
    """Ask the kernel to wake us on time, also when the machine is busy."""
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1000, 0, 0, 0)
    go_before_others(-10)
    gc.disable()  # nothing here makes cycles; a collection would be a hiccup of every link


def main(argv: Sequence[str]) -> int:
    """`relay --state DIR`: serve the lab whose state directory that is, until killed."""
    parser = argparse.ArgumentParser(prog="stormlab relay", description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    state: Path = parser.parse_args(argv).state
    try:
        estate = of_state(state)
        descriptors = [tun.attach(site.netns, WAN) for site in estate.sites]
        control = Control(state / SOCKET)
    except LabError as error:
        print(error, file=sys.stderr)
        return 2
    _be_punctual()
    Relay(estate, descriptors).run(control)
    return 0
