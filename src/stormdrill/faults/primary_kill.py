"""Primary kill: the pod of a cell's database primary, deleted with grace 0 through the Kubernetes API."""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Event

from stormdrill.faults import Estate, Injection, Proof
from stormdrill.faults.pod_kill import follow_kill, inject_kill, revert_kill, verify_kill
from stormdrill.faults.primary import cell_of, primary_of, whole_again


@dataclass(frozen=True)
class PrimaryKill:
    """Kill the pod of the cell's primary."""

    cell: str = ""
    kind: str = "primary_kill"

    def rehearse(self, estate: Estate) -> None:
        """Find the primary and its pod."""
        primary_of(estate, cell_of(estate, self.cell))

    def inject(self, estate: Estate, name: str) -> Injection:
        """Kill. ActionError when there is no leader, no such pod, or the API refused."""
        cell = cell_of(estate, self.cell)
        standbys = len(estate.directors[cell].cluster().sync_standbys)
        injection = inject_kill(estate, name, [primary_of(estate, cell)])
        return replace(injection, memory={**injection.memory, "standbys": standbys})

    def verify(self, estate: Estate, injection: Injection) -> Proof:
        """The old pod is gone from the API and its processes are dead."""
        return verify_kill(estate, injection)

    def follow(self, estate: Estate, injection: Injection, ended: Event) -> None:
        """Record the replacement when it is ready."""
        follow_kill(estate, injection, ended)

    def revert(self, estate: Estate, injection: Injection, deadline_s: float) -> Proof:
        """The pod is replaced and the database cluster is whole again."""
        replaced = revert_kill(estate, injection, deadline_s)
        if not replaced.ok:
            return replaced
        cell = cell_of(estate, self.cell)
        return whole_again(estate, cell, injection.memory["standbys"], deadline_s)
