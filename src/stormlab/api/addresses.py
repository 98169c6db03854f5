"""Service addresses and node ports: which are free in a region's ranges."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from itertools import chain

from stormlab.api.kinds import SERVICE
from stormlab.api.rules.service import NODE_PORTS
from stormlab.api.status import internal
from stormlab.api.store import Store

# The first address is the API's own service, the tenth by custom the DNS server's.
FIRST_FREE = 16


class Addresses:
    """Gives out addresses in turn, so that one just freed is not used again at once."""

    def __init__(self, store: Store, network: str) -> None:
        self._store = store
        self._network = ipaddress.ip_network(network)
        self._last_address = FIRST_FREE - 1
        self._last_port = NODE_PORTS[0] + 1000

    def _specs(self) -> Iterator[dict[str, object]]:
        return (record.tree["spec"] for record in self._store.records(SERVICE))

    def address_taken(self, address: str) -> bool:
        """Say whether a service has this address."""
        return any(spec.get("clusterIP") == address for spec in self._specs())

    def _ports(self) -> set[object]:
        ports: Iterable[list[dict[str, object]]] = (spec.get("ports", []) for spec in self._specs())  # type: ignore[misc]
        return {port.get("nodePort") for port in chain.from_iterable(ports)}

    def port_taken(self, port: int) -> bool:
        """Say whether a service has this node port."""
        return port in self._ports()

    def address(self) -> str:
        """Return a free service address; ApiError 500 when there is none."""
        taken = {spec.get("clusterIP") for spec in self._specs()}
        span = self._network.num_addresses - 1 - FIRST_FREE
        for step in range(1, span + 1):
            offset = FIRST_FREE + (self._last_address - FIRST_FREE + step) % span
            if (address := str(self._network[offset])) not in taken:
                self._last_address = offset
                return address
        raise internal("failed to allocate a serviceIP: range is full")

    def port(self) -> int:
        """Return a free node port; ApiError 500 when there is none."""
        taken = self._ports()
        for step in range(1, len(NODE_PORTS) + 1):
            port = NODE_PORTS[(self._last_port - NODE_PORTS[0] + step) % len(NODE_PORTS)]
            if port not in taken:
                self._last_port = port
                return port
        raise internal("failed to allocate a nodePort: range is full")
