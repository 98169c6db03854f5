"""Turns what the generator does into records: intent before the send, one record an attempt, then the count.

Nothing is counted before it is written. The recorder alone numbers logical requests and makes their keys.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, replace

from stormdrill.estate import OperationKind
from stormdrill.load.config import LoadConfig
from stormdrill.load.tally import Tally
from stormdrill.records.keys import KeyTexts
from stormdrill.records.layout import Act, Flag, Legend, Outcome, Reason, key_bytes
from stormdrill.records.writer import RequestLog, WitnessJournal

_KEYS = uuid.UUID("6f2b1f0e-52a5-5c0e-9d5e-3b1f2b7a9c11")  # namespace of idempotency keys


@dataclass(slots=True)
class Request:
    """One logical request: due once, tried one or more times under one key."""

    seq: int
    operation: int
    due_ns: int
    session: int
    cell: int
    flags: int
    key: str
    amount: int = 0
    source: int = 0
    target: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one attempt came to. Times 0 = never; `movement` is the number the bank answered with."""

    number: int
    sent_ns: int
    answered_ns: int
    outcome: Outcome
    reason: Reason
    act: Act
    status: int
    site: int
    final: bool
    movement: int = 0

    def with_final(self, final: bool) -> Attempt:
        """The same, said to be the last attempt of its request or not."""
        return replace(self, final=final)


class Recorder:
    """Owns the record files of one generator and the texts of its keys. Used by the loop's thread, except `sync`."""

    def __init__(self, config: LoadConfig, tally: Tally) -> None:
        mono_ns, wall_ns = time.monotonic_ns(), time.time_ns()
        names = [operation.name for operation in config.operations]
        tiers = tuple(operation.tier for operation in config.operations)
        sites = tuple(edge.name for edge in config.edges)
        legends = [
            Legend(kind, tuple(names), tiers, config.cells, sites, mono_ns, wall_ns, config.source)
            for kind in ("requests", "witness")
        ]
        self._log = RequestLog(config.requests_file, legends[0])
        self._journal = WitnessJournal(config.witness_file, legends[1])
        self._texts = KeyTexts(config.keys_file)
        self._tally = tally
        self._run = f"{config.run}/{config.source}"
        self._writes = [operation.kind is OperationKind.WRITE for operation in config.operations]
        self._seq = 0

    def request(
        self, operation: int, due_ns: int, *, session: int = 0, cell: int = 0, probe: bool = False
    ) -> Request:
        """A new logical request; a write gets its idempotency key."""
        self._seq += 1
        write = self._writes[operation]
        flags = (Flag.PROBE if probe else 0) | (Flag.WRITE if write else 0)
        key = str(uuid.uuid5(_KEYS, f"{self._run}/{self._seq}")) if write else ""
        return Request(self._seq, operation, due_ns, session, cell, flags, key)

    def intent(self, request: Request, number: int) -> None:
        """State that this attempt at a movement is about to be sent."""
        if request.flags & Flag.WRITE:
            if number == 1:
                self._texts.keep(request.key)
            self._witness(request, number, Act.INTENT, 0, 0)

    def attempt(self, request: Request, attempt: Attempt) -> None:
        """Record what an attempt came to, then count it."""
        if request.flags & Flag.WRITE and attempt.sent_ns:
            self._witness(request, attempt.number, attempt.act, attempt.status, attempt.movement)
        self._log.append(
            seq=request.seq,
            due_ns=request.due_ns,
            sent_ns=attempt.sent_ns,
            answered_ns=attempt.answered_ns,
            session=request.session,
            operation=request.operation,
            cell=request.cell,
            attempt=attempt.number,
            outcome=attempt.outcome,
            reason=attempt.reason,
            site=attempt.site,
            flags=request.flags | (Flag.FINAL if attempt.final else 0),
            status=attempt.status,
        )
        response_ns = attempt.answered_ns - request.due_ns if attempt.answered_ns else None
        self._tally.ended(request.operation, attempt.outcome, response_ns, final=attempt.final)

    def unsent(self, request: Request, outcome: Outcome, reason: Reason, number: int = 1) -> None:
        """Record that a request was due and is not sent (any more): its last record."""
        self.attempt(request, Attempt(number, 0, 0, outcome, reason, Act.FAIL, 0, 0, final=True))

    def sync(self) -> None:
        """Make what was written survive a crash of the machine; called by the keeper's thread."""
        self._texts.sync()
        self._journal.sync()
        self._log.sync()

    def close(self) -> None:
        """Sync and close all files."""
        self._texts.close()
        self._journal.close()
        self._log.close()

    def _witness(self, request: Request, number: int, act: Act, status: int, movement: int) -> None:
        self._journal.append(
            seq=request.seq,
            mono_ns=time.monotonic_ns(),
            wall_ns=time.time_ns(),
            key=key_bytes(request.key),
            amount=request.amount,
            source=request.source,
            target=request.target,
            act=act,
            attempt=number,
            operation=request.operation,
            status=status,
            cell=request.cell,
            flags=request.flags,
            movement=movement,
        )
