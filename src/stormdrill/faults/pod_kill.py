"""Pod kill: pods of a service, drawn by seed, deleted with grace 0 through the Kubernetes API.

It proves that their processes died and follows their replacements. There is nothing to take away afterwards:
reverted means that the estate has replaced what was killed.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Event

from stormdrill.faults import Estate, Injection, Proof, victims
from stormdrill.faults.deathwatch import prove_all
from stormdrill.faults.replacement import Replacements

DEATH_S = 60.0
"""How long a kill may take: a force delete after nothing else was seen to need 2 s, a busy kubelet more."""


@dataclass(frozen=True)
class PodKill:
    """Kill `count` ready pods of `service` (or `share` of them, 0 to 1, rounded up); see `victims.draw`."""

    service: str
    zone: str = ""
    count: int = 1
    share: float | None = None
    kind: str = "pod_kill"

    def rehearse(self, estate: Estate) -> None:
        """Draw, and kill nobody."""
        self._draw(estate)

    def inject(self, estate: Estate, name: str) -> Injection:
        """Kill. ActionError when nothing matched or the API refused every kill."""
        return inject_kill(estate, name, self._draw(estate))

    def verify(self, estate: Estate, injection: Injection) -> Proof:
        """The old pods are gone from the API and their processes are dead."""
        return verify_kill(estate, injection)

    def follow(self, estate: Estate, injection: Injection, ended: Event) -> None:
        """Record each replacement when it is ready."""
        follow_kill(estate, injection, ended)

    def revert(self, estate: Estate, injection: Injection, deadline_s: float) -> Proof:
        """Every killed pod has a ready replacement."""
        return revert_kill(estate, injection, deadline_s)

    def _draw(self, estate: Estate) -> list[victims.Victim]:
        service = estate.topology.services[self.service]
        return victims.draw(estate, service, self.zone, self.count, self.share)


def inject_kill(estate: Estate, name: str, chosen: list[victims.Victim]) -> Injection:
    """Watch, kill and remember the chosen pods."""
    watches = victims.watch_deaths(chosen)
    replacements = Replacements(estate, chosen)
    try:
        t0_ns, killed, refused = victims.kill(estate, name, chosen)
    except BaseException:
        for watch in watches:
            watch.close()
        raise
    memory = {"watches": watches, "replacements": replacements, "refused": refused}
    return Injection(name, t0_ns, tuple(victim.describe() for victim in killed), memory)


def verify_kill(estate: Estate, injection: Injection) -> Proof:  # noqa: ARG001 - the shape of a fault
    """Prove the deaths; a kill the API refused makes the proof fail."""
    proof = prove_all(injection.memory["watches"], DEATH_S)
    refused = injection.memory["refused"]
    return Proof(False, "; ".join([*refused, proof.why]), proof.evidence) if refused else proof


def follow_kill(estate: Estate, injection: Injection, ended: Event) -> None:  # noqa: ARG001
    """Follow the replacements until all are there or the run no longer waits."""
    injection.memory["replacements"].follow(ended.is_set, deadline_s=3600)


def revert_kill(estate: Estate, injection: Injection, deadline_s: float) -> Proof:
    """Wait for the replacements for at most `deadline_s`."""
    replacements: Replacements = injection.memory["replacements"]
    replacements.follow(estate.hurry, deadline_s)
    return replacements.proof()
