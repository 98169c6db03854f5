"""A site's edges told to let nobody through, or everybody again: HAProxy's runtime API in each edge's pod."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from stormdrill.errors import StormdrillError, TargetError
from stormdrill.estate_sites import FencedEdges
from stormdrill.kube import Cluster, PodRef

# Whatever the image has that can speak to a Unix socket; perl is in every Debian, without asking.
_TALK = """
if command -v socat >/dev/null; then printf '%s\\n' "$2" | socat -t 5 - "UNIX-CONNECT:$1"
elif command -v perl >/dev/null; then
  perl -MIO::Socket::UNIX -e 'alarm 5; $s = IO::Socket::UNIX->new($ARGV[0]) or die "$ARGV[0]: $!\\n";
    print $s "$ARGV[1]\\n"; $s->flush; $s->shutdown(1); print while <$s>' "$1" "$2"
else
  python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect(sys.argv[1]); s.sendall(sys.argv[2].encode() + b"\\n")
s.shutdown(socket.SHUT_WR); sys.stdout.buffer.write(b"".join(iter(lambda: s.recv(65536), b"")))' "$1" "$2"
fi
"""
_MAINTENANCE = 1  # SRV_ADMF_FMAINT: by command, not through DNS
_SAFE = re.compile(r"[A-Za-z0-9_.:-]+")


@dataclass(frozen=True)
class EdgeState:
    """One edge. `shut` is None when it could not be asked, which `why` then explains."""

    pod: str
    zone: str | None
    shut: bool | None
    why: str = ""


class Edges:
    """The edges of one region. Nothing here raises for one edge: its `EdgeState` says what is wrong with it."""

    def __init__(self, cluster: Cluster, edges: FencedEdges) -> None:
        self._cluster = cluster
        self._edges = edges

    def look(self) -> tuple[EdgeState, ...]:
        """Every edge as it is. TargetError when the region's API does not answer."""
        return tuple(self._state(pod) for pod in self._pods())

    def shut(self) -> tuple[EdgeState, ...]:
        """All servers of every edge to maintenance; what is under way there is cut. The state after it."""
        return tuple(self._set(pod, "maint") for pod in self._pods())

    def let_through(self) -> tuple[EdgeState, ...]:
        """All servers of every edge back under their checks."""
        return tuple(self._set(pod, "ready") for pod in self._pods())

    def _pods(self) -> Iterable[PodRef]:
        return self._cluster.pods(self._edges.namespace, self._edges.label_selector)

    def _set(self, pod: PodRef, state: str) -> EdgeState:
        backend = self._edges.backend
        try:
            servers = list(self._servers(pod))
            orders = [f"set server {backend}/{name} state {state}" for name in servers]
            if state == "maint":
                orders += [f"shutdown sessions server {backend}/{name}" for name in servers]
            self._say(pod, "; ".join(orders))
        except StormdrillError as error:
            return EdgeState(pod.name, pod.zone, None, str(error))
        return self._state(pod)

    def _state(self, pod: PodRef) -> EdgeState:
        try:
            servers = self._servers(pod)
        except StormdrillError as error:
            return EdgeState(pod.name, pod.zone, None, str(error))
        return EdgeState(pod.name, pod.zone, all(admin & _MAINTENANCE for admin in servers.values()))

    def _servers(self, pod: PodRef) -> dict[str, int]:
        """Administrative state of each server of the backend, by name."""
        lines = self._say(pod, f"show servers state {self._edges.backend}").splitlines()
        columns = next((line[1:].split() for line in lines if line.startswith("#")), [])
        found = {}
        for line in lines[1:]:
            row = dict(zip(columns, line.split(), strict=False))
            name = row.get("srv_name", "")
            if row.get("be_name") == self._edges.backend and _SAFE.fullmatch(name):
                found[name] = int(row["srv_admin_state"])
        if not found:
            said = " ".join(lines)[:100] or "nothing"
            raise TargetError(f"{pod.name}: no server in backend {self._edges.backend}: it says {said}")
        return found

    def _say(self, pod: PodRef, order: str) -> str:
        command = ["sh", "-c", _TALK, "edge", self._edges.socket, order]
        done = self._cluster.exec(pod.namespace, pod.name, self._edges.container, command)
        if done.code != 0:
            raise TargetError(
                f"{pod.name}: HAProxy's runtime API: {done.stderr.strip() or f'exit {done.code}'}"
            )
        return done.stdout
