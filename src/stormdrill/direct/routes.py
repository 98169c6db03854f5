"""Where phones are led: one region's edges are in the name that they resolve, and every other's are out of it.

An edge is called as the zone it stands in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stormdrill import wait
from stormdrill.direct.names import NameDirector
from stormdrill.errors import ActionError, DeadlineError, TargetError
from stormdrill.estate import Topology
from stormdrill.fence.site import Tell
from stormdrill.resolved import Resolved

SERVES_WITHIN_S = 30.0
_POLL_S = 0.1


@dataclass(frozen=True)
class Routes:
    """The name and its edges by region. Calls raise TargetError when the name does not answer."""

    name: NameDirector
    edges: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, topology: Topology) -> Routes:
        """The topology's. ActionError when phones resolve no name, or nobody knows where an edge is."""
        if topology.resolver is None:
            raise ActionError("the topology has no 'resolver': phones cannot be led to another region")
        zones = topology.zones
        lost = [edge.name for edge in topology.edges if edge.name not in zones]
        if lost:
            raise ActionError(f"edges are to be called as their zones: no zone is called {', '.join(lost)}")
        edges: dict[str, list[str]] = {}
        for edge in topology.edges:
            edges.setdefault(zones[edge.name], []).append(edge.name)
        return cls(
            NameDirector(topology.resolver.url), {region: tuple(names) for region, names in edges.items()}
        )

    def regions(self) -> frozenset[str]:
        """The regions that the name leads to now."""
        return self._regions(self.name.resolve())

    def turn_to(self, region: str, by: str, tell: Tell) -> Resolved:
        """Let `region`'s edges in, then take all others out; the answer after it. Phones follow within its TTL."""
        mine = self.edges_in(region)
        before = self.name.resolve()
        answer = before
        for edge in mine:
            answer = self.name.restore(edge)
        for others in (edges for other, edges in self.edges.items() if other != region):
            for edge in others:
                answer = self.name.drain(edge)
        if answer.edges != before.edges or answer.drained != before.drained:
            tell(
                "route.changed",
                by,
                name=self.name.url.rpartition("/")[2],
                to=list(mine),
                region=region,
                ttl_s=answer.ttl_s,
            )
        return answer

    def serving(self, region: str, deadline_s: float = SERVES_WITHIN_S) -> Resolved:
        """Wait until the name leads to `region` alone, and to an edge there that is well."""
        last = ""

        def led() -> Resolved | None:
            nonlocal last
            answer = self.name.resolve()
            well = [edge for edge in answer.edges if edge not in answer.down]
            last = f"it leads to {', '.join(answer.edges)}, of which are well: {', '.join(well) or 'none'}"
            return answer if self._regions(answer) == {region} and well else None

        try:
            return wait.until(
                led, deadline_s=deadline_s, what=f"the name that leads to {region}", poll_s=_POLL_S
            )
        except DeadlineError as error:
            raise DeadlineError(f"{error}: {last}") from None

    def edges_in(self, region: str) -> tuple[str, ...]:
        """Its edges. ActionError when it has none."""
        if not self.edges.get(region):
            raise ActionError(f"{region} has no edge: phones cannot be led there")
        return self.edges[region]

    def _regions(self, answer: Resolved) -> frozenset[str]:
        places = {edge: region for region, edges in self.edges.items() for edge in edges}
        if unknown := [edge for edge in answer.edges if edge not in places]:
            raise TargetError(f"the name leads to edges nobody knows: {', '.join(unknown)}")
        return frozenset(places[edge] for edge in answer.edges)
