"""How phones find an edge: the name they resolve, each with its own copy for as long as the answer may be kept.

One greenlet asks the name; a phone that resolves gets what it last heard. So a phone whose copy is fresh stays on
an edge that was taken out of the name, as real ones do. Without a name every phone knows all edges for good.
"""

from __future__ import annotations

import http.client
import time
from urllib.parse import urlsplit

from stormdrill.errors import TargetError
from stormdrill.load.config import LoadConfig
from stormdrill.load.generator.phone import Phone
from stormdrill.load.generator.running import Running
from stormdrill.resolved import Resolved, parse
from stormdrill.units import NS_PER_S

_EVERY_S = 1.0
_TIMEOUT_S = 2.0
_FOR_GOOD_NS = 2**62


class Names:
    """What a phone is told when it resolves. `numbers` of edges are those of the configuration."""

    def __init__(self, config: LoadConfig) -> None:
        """Ask once. TargetError when the name does not answer, or names an edge that nobody knows."""
        self._url = config.resolver.url if config.resolver else ""
        self._numbers = {edge.name: number for number, edge in enumerate(config.edges)}
        self._edges = tuple(range(len(config.edges)))
        self._ttl_ns = _FOR_GOOD_NS
        if self._url:
            self._learn(self._ask())

    def start(self, running: Running) -> None:
        """Keep asking until the load ends."""
        if self._url:
            running.spawn(self._keep_asking, running)

    def resolve(self, phone: Phone) -> None:
        """Give the phone a new copy; it moves if its edge is no longer in it."""
        phone.edges = self._edges
        phone.edges_until_ns = time.monotonic_ns() + self._ttl_ns
        if phone.site not in phone.edges:
            phone.site = phone.edges[phone.customer % len(phone.edges)]

    def before_request(self, phone: Phone) -> None:
        """A copy that is too old is replaced."""
        if time.monotonic_ns() >= phone.edges_until_ns:
            self.resolve(phone)

    @staticmethod
    def leave(phone: Phone) -> None:
        """The edge does not answer: go to the next of those the phone knows."""
        edges = phone.edges or (phone.site,)
        at = edges.index(phone.site) if phone.site in edges else -1
        phone.site = edges[(at + 1) % len(edges)]

    def _keep_asking(self, running: Running) -> None:
        while not running.stop.wait(_EVERY_S):
            try:
                self._learn(self._ask())
            except TargetError:
                continue  # the last answer stands, as a resolver's does

    def _ask(self) -> Resolved:
        url = urlsplit(self._url)
        connection = http.client.HTTPConnection(url.hostname or "", url.port or 80, timeout=_TIMEOUT_S)
        try:
            connection.request("GET", url.path, headers={"Connection": "close"})
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise TargetError(f"the name at {self._url} answers {answer.status}")
            return parse(body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise TargetError(f"the name at {self._url}: {error}") from None
        finally:
            connection.close()

    def _learn(self, said: Resolved) -> None:
        unknown = [edge for edge in said.edges if edge not in self._numbers]
        if unknown:
            raise TargetError(
                f"the name at {self._url} leads to {', '.join(unknown)}: no edge of the topology"
            )
        self._edges = tuple(self._numbers[edge] for edge in said.edges)
        self._ttl_ns = int(said.ttl_s * NS_PER_S)
