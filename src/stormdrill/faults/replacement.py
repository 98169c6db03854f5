"""Killed pods and who takes their place: a new uid, of the same owner, ready.

The owner (ReplicaSet, StatefulSet) decides where its new pod runs: a workload that is not bound to a zone may
well replace a pod in another one. Pods without an owner are followed by their service and zone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from stormdrill import wait
from stormdrill.errors import DeadlineError, TargetError
from stormdrill.faults import Estate, Proof
from stormdrill.faults.victims import Victim, find
from stormdrill.kube import PodRef

POLL_S = 0.25


class Replacements:
    """Follows the pods of the victims' services until each victim has a ready successor."""

    def __init__(self, estate: Estate, victims: Sequence[Victim]) -> None:
        self._estate = estate
        self._victims = list(victims)
        self._before = {other.pod.uid for victim in victims for other in find(estate, victim.service)}
        self._by_victim: dict[str, PodRef] = {}

    @property
    def complete(self) -> bool:
        """Whether every victim has its successor."""
        return len(self._by_victim) == len(self._victims)

    def follow(self, over: Callable[[], bool], deadline_s: float) -> None:
        """Poll until complete, recording `pod.replaced` as each is seen ready; ends early when `over`."""

        def look() -> bool:
            self._look()
            return self.complete or over()

        try:
            wait.until(look, deadline_s=deadline_s, what="replacements", poll_s=POLL_S)
        except DeadlineError:
            return

    def proof(self) -> Proof:
        """Who replaced whom, and who was not replaced."""
        pairs = {victim.pod.name: self._by_victim.get(victim.pod.uid) for victim in self._victims}
        missing = [name for name, successor in pairs.items() if successor is None]
        evidence = {name: successor.name if successor else None for name, successor in pairs.items()}
        why = (
            f"no ready replacement of {', '.join(missing)}"
            if missing
            else "every killed pod is replaced and ready"
        )
        return Proof(not missing, why, {"replaced": evidence})

    def _look(self) -> None:
        for victim in self._victims:
            if victim.pod.uid in self._by_victim:
                continue
            try:
                pods = [other.pod for other in find(self._estate, victim.service)]
            except TargetError:
                continue  # the API may be busy with the fault; the deadline bounds it
            taken = {successor.uid for successor in self._by_victim.values()}
            known = self._before | taken
            fresh = [pod for pod in pods if pod.ready and pod.uid not in known and _same(victim.pod, pod)]
            if fresh:
                self._found(victim, fresh[0])

    def _found(self, victim: Victim, successor: PodRef) -> None:
        self._by_victim[victim.pod.uid] = successor
        now_ns = time.monotonic_ns()
        self._estate.record(
            "pod.replaced",
            service=victim.service.name,
            old={"pod": victim.pod.name, "uid": victim.pod.uid},
            new={"pod": successor.name, "uid": successor.uid, "started_at": successor.started_at},
            ready_ns=now_ns,
        )


def _same(old: PodRef, new: PodRef) -> bool:
    if old.owner is None:
        return new.zone == old.zone
    return (new.namespace, new.owner) == (old.namespace, old.owner)
