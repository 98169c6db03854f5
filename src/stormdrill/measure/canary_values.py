"""What the canaries saw, as stored in `measurements.json`. Seconds are from t0, the first fault applied."""

from __future__ import annotations

from dataclasses import dataclass

from stormdrill.measure.trust_values import Stretch


@dataclass(frozen=True)
class Pair:
    """One path from one canary to another, when it was down, and when nobody told of it (`dark`).

    `known_from_s` is when it was first told of.
    """

    zone: str
    peer: str
    path: str
    known_from_s: float
    down: tuple[Stretch, ...]
    dark: tuple[Stretch, ...]
    up_at_end: bool

    @property
    def name(self) -> str:
        """As people say it."""
        return f"{self.zone} -> {self.peer or '*'} ({self.path})"


@dataclass(frozen=True)
class Proof:
    """What the canaries prove of one network fault.

    `must` pairs had to break, `may` pairs could, all others had to stay. `faulty` names pairs that did not do
    what they had to, with what they did; empty is proof. `broke_s` is when the last of the pairs that had to break
    was down, from the fault's own t0. `not_back` names pairs that were up before and did not come back; `back_s`
    is when the last came back, from the beginning of the revert.
    """

    fault: str
    must: int
    may: int
    stay: int
    faulty: tuple[str, ...]
    broke_s: float | None
    not_back: tuple[str, ...]
    back_s: float | None
    reverting_s: float | None


@dataclass(frozen=True)
class Canaries:
    """All pairs ever told of, and a proof for each network fault."""

    pairs: tuple[Pair, ...]
    proofs: tuple[Proof, ...]
