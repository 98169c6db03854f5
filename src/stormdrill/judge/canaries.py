"""What canaries prove of a network fault: that it broke what it cuts and nothing else, and that all of it is back."""

from __future__ import annotations

from collections.abc import Sequence

from stormdrill.judge.checking import Case, Said, seconds

NAMED = 4  # pairs that a sentence names; all of them are in measurements.json


def not_broken(case: Case) -> str:
    """Which pairs did not do what a fault demands of them; empty when all did, or no fault cut the network."""
    for proof in case.measured.failover.canaries.proofs:
        if not case.measured.failover.canaries.pairs:
            return f"{proof.fault}: no canary was seen"
        if not proof.must:
            return f"{proof.fault}: no pair of canaries crosses what it cuts"
        if proof.faulty:
            return f"{proof.fault}: {_listed(proof.faulty)}"
    return ""


def seen(case: Case) -> str:
    """How the proof went, for the sentence of a fault that is proven."""
    proofs = case.measured.failover.canaries.proofs
    if not proofs:
        return ""
    must = sum(proof.must for proof in proofs)
    stay = sum(proof.stay for proof in proofs)
    slowest = max((proof.broke_s for proof in proofs if proof.broke_s is not None), default=0.0)
    return f": canaries saw {must} flows break within {seconds(slowest)}, and {stay} others stay"


def not_back(case: Case) -> Said:
    """The rule `revert_proven`."""
    measured = case.measured
    canaries = measured.failover.canaries
    if not canaries.pairs:
        return False, "no canary was seen: nobody proves that the network is whole", None, "s"
    open_ = {fault.name for fault in measured.faults if fault.reverted_s is None}
    for proof in canaries.proofs:
        if proof.fault in open_:
            return False, f"no event says that {proof.fault} is over", None, "s"
        if proof.not_back:
            return (
                False,
                f"not back after {proof.fault}: {_listed(proof.not_back)}",
                len(proof.not_back),
                "flows",
            )
    slowest = max((proof.back_s for proof in canaries.proofs if proof.back_s is not None), default=None)
    when = f", the last {seconds(slowest)} after the revert began" if slowest is not None else ""
    return True, f"every canary that was green before was green again{when}", slowest, "s"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
