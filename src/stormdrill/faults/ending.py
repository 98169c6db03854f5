"""The end of a leased fault: wanted, said by every agent, and followed by an estate that is whole again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from stormdrill import wait
from stormdrill.errors import DeadlineError, RevertError, StormdrillError, TargetError
from stormdrill.faults import Estate, Proof, Record
from stormdrill.faults.canaries import not_green
from stormdrill.faults.keeper import Keeper
from stormdrill.faults.primary import trouble_of
from stormdrill.faults.victims import find
from stormdrill.faultspec import Desired
from stormdrill.kube import FaultObject, FaultObjects

AFTER_LEASE_S = 2.0
"""An orphaned fault is gone so long after its lease."""
_SLOW_S = 3.0
_POLL_S = 0.05
_LOOK_S = 0.5


@dataclass
class Ending:
    """One fault's way out. `keeper` is set once the fault is renewed."""

    record: Record
    objects: FaultObjects
    name: str
    object_name: str
    lease_s: float
    keeper: Keeper | None = None
    wanted: bool = False

    def want(self) -> None:
        """Renew no more and ask for the end, without waiting. Never raises: the lease does it otherwise."""
        if not self.wanted:
            self.wanted = True
            self.record("fault.reverting", name=self.name)
        if self.keeper:
            self.keeper.stop()
        with suppress(TargetError):
            self.objects.end(self.object_name)

    def take_back(self) -> None:
        """Undo what was begun and did not succeed. RevertError when it is not known to be gone."""
        self.want()
        remove(self.objects, self._gone())

    def prove(self, estate: Estate, deadline_s: float, standbys: Mapping[str, int]) -> Proof:
        """End it, and wait up to `deadline_s` for the estate to be whole. RevertError as `await_gone`."""
        begun = time.monotonic()
        self.want()
        last = self._gone()
        took_s = round(time.monotonic() - begun, 3)
        nodes = {node: said.reason for node, said in last.nodes.items()} if last else {}
        self.record("fault.gone", name=self.name, took_s=took_s, nodes=nodes)
        why = _whole(estate, max(1.0, begun + deadline_s - time.monotonic()), standbys)
        remove(self.objects, last)
        evidence = {
            "gone_after_s": took_s,
            "nodes": nodes,
            "whole_after_s": round(time.monotonic() - begun, 1),
        }
        if why:
            return Proof(False, f"the fault is gone, but {why}", evidence)
        return Proof(
            True, "every agent says that it is gone, every canary is green, the estate is whole", evidence
        )

    def _gone(self) -> FaultObject | None:
        def say(text: str) -> None:
            self.record("fault.lingers", name=self.name, why=text)

        return await_gone(self.objects, self.object_name, self.lease_s, say)


def await_gone(
    objects: FaultObjects, name: str, lease_s: float, say: Callable[[str], None]
) -> FaultObject | None:
    """Wait until every agent says that nothing of it is there; the object then, None when somebody had deleted it.

    An agent that nobody can reach ends the fault when its lease runs out: `say` is told, and it is waited for
    so long. RevertError with what each silent node said last.
    """
    begun, why, told = time.monotonic(), ["not asked"], [False]

    def gone() -> list[FaultObject | None] | None:
        why[0], found = _ask(objects, name)
        if found is not None:
            return found
        if not told[0] and time.monotonic() - begun > _SLOW_S:
            told[0] = True
            say(f"{why[0]}; without its agent it ends with its lease of {lease_s:g} s")
        return None

    limit_s = lease_s + AFTER_LEASE_S
    try:
        return wait.until(gone, deadline_s=limit_s, what="agents", poll_s=_POLL_S)[0]
    except DeadlineError:
        message = f"fault {name}: after its lease and {AFTER_LEASE_S:g} s, {why[0]}"
        raise RevertError(message) from None


def _ask(objects: FaultObjects, name: str) -> tuple[str, list[FaultObject | None] | None]:
    """Why it may still be there, or the object (None: deleted) once it is not."""
    try:
        seen = objects.read(name)
        if seen is None:
            return "", [None]
        if missing := seen.lasting:
            if seen.spec.desired is not Desired.REVERTED:  # the first wish did not arrive
                objects.end(name)
            return "; ".join(seen.describe(node) for node in missing), None
    except TargetError as error:
        return str(error), None
    return "", [seen]


def remove(objects: FaultObjects, last: FaultObject | None) -> None:
    """Delete an object that every agent is done with. Never raises: what stays hurts nobody."""
    with suppress(TargetError):
        if last is not None:
            objects.remove(last.name, last.uid)


def _whole(estate: Estate, deadline_s: float, standbys: Mapping[str, int]) -> str:
    """Wait until canaries, pods and databases are as before, or until hurried; what is not, empty when all is."""
    last = ["nobody looked"]

    def whole() -> bool:
        last[0] = _not_whole(estate, standbys)
        return not last[0] or estate.hurry()

    with suppress(DeadlineError):
        wait.until(whole, deadline_s=deadline_s, what="the estate", poll_s=_LOOK_S)
    return last[0]


def _not_whole(estate: Estate, standbys: Mapping[str, int]) -> str:
    """The first thing that is not as before, but for what faults that last break."""
    severed = estate.severed()
    try:
        if estate.canaries and (why := not_green(estate.canaries.look(), estate.canaries.zones, severed)):
            return f"canary flows are not back: {why}"
        if severed:
            return ""  # another fault lasts: what it hurts cannot be whole
        for service in estate.topology.services.values():
            idle = [victim.pod.name for victim in find(estate, service) if not victim.pod.ready]
            if idle:
                return f"pods of {service.name} are not ready: {', '.join(idle)}"
    except StormdrillError as error:
        return str(error)
    closed = estate.closed()
    for cell in estate.directors:
        if cell not in closed and (why := trouble_of(estate, cell, standbys.get(cell, 0))):
            return f"the database of {cell} is not whole: {why}"
    return ""
