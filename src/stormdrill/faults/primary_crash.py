"""Primary crash: SIGKILL to the database's postmaster inside its pod; Patroni, pod and data stay.

The topology's `databases.<cell>.crash` is the command that does it, run in the primary's container.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from stormdrill import wait
from stormdrill.errors import ActionError, DeadlineError, TargetError
from stormdrill.faults import DatabaseState, Estate, Injection, Proof
from stormdrill.faults.primary import cell_of, primary_of, whole_again
from stormdrill.kube import ApiError

_EXEC_S = 10.0
_PROOF_S = 60.0


@dataclass(frozen=True)
class PrimaryCrash:
    """Crash the database process of the cell's primary."""

    cell: str = ""
    kind: str = "primary_crash"

    def rehearse(self, estate: Estate) -> None:
        """Find the primary and its pod."""
        primary_of(estate, cell_of(estate, self.cell))

    def inject(self, estate: Estate, name: str) -> Injection:
        """Crash it; t0 is the moment before the command is sent. ActionError when it did not run."""
        cell = cell_of(estate, self.cell)
        database, director = estate.topology.databases[cell], estate.directors[cell]
        victim = primary_of(estate, cell)
        member = victim.pod.name
        state = director.cluster()
        memory = {"started": _started(state, member), "standbys": len(state.sync_standbys)}
        estate.check_stop()
        target = {**victim.describe(), "member": member, "database": cell}
        estate.record("fault.intended", name=name, targets=[target])
        t0_ns = time.monotonic_ns()
        container = database.container or victim.service.container
        try:
            done = victim.cluster.exec(
                victim.service.namespace, member, container, list(database.crash), _EXEC_S
            )
        except ApiError as error:
            raise ActionError(f"the crash command could not be run in {member}: {error}") from None
        except TargetError:
            return Injection(name, t0_ns, (target,), memory)  # the stream was lost: the proof will tell
        if done.code != 0:
            said = (done.stderr or done.stdout).strip()
            raise ActionError(f"the crash command in {member} ended with {done.code}: {said}")
        return Injection(name, t0_ns, (target,), memory)

    def verify(self, estate: Estate, injection: Injection) -> Proof:
        """The old database process is gone: the member itself reports none, or one with another start."""
        member, before = injection.targets[0]["member"], injection.memory["started"]
        if before is None:
            return Proof(False, f"{member} did not say before the fault when its database was started")

        def gone() -> tuple[str | None] | None:
            try:
                state = estate.directors[cell_of(estate, self.cell)].cluster()
            except TargetError:
                return None
            now = _started(state, member)
            return (now,) if _reachable(state, member) and now != before else None

        try:
            (now,) = wait.until(gone, deadline_s=_PROOF_S, what="the crash", poll_s=0.1)
        except DeadlineError:
            return Proof(
                False, f"{member} still runs the database process started at {before}, or does not answer"
            )
        why = f"{member}: the database process started at {before} is gone" + (
            f", a new one at {now}" if now else ""
        )
        return Proof(True, why, {"member": member, "started_before": before, "started_now": now})

    def revert(self, estate: Estate, injection: Injection, deadline_s: float) -> Proof:
        """Nothing of ours is left; the cluster is whole again (leader, members, synchronous standbys)."""
        cell = cell_of(estate, self.cell)
        return whole_again(estate, cell, injection.memory["standbys"], deadline_s)


def _started(state: DatabaseState, name: str) -> str | None:
    return next((member.started for member in state.members if member.name == name), None)


def _reachable(state: DatabaseState, name: str) -> bool:
    return any(member.name == name and member.reachable for member in state.members)
