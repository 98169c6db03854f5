"""What people did by a runbook, put into the drill's history: its decisions, approvals and steps.

A runbook that is run for a drill keeps a history of its own in the run directory (`runbook/history.jsonl`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stormdrill.history import Event
from stormdrill.measure.chronicle import RETURN, RETURN_BEGINS, RETURN_ENDS, chronicle

CLOCKS_AGREE_S = 1.0
"""Two histories whose clocks are further apart come from two machines, or from before and after a restart."""


def merged(drill: Sequence[Event], runbook: Sequence[Event]) -> tuple[Event, ...]:
    """Both histories as one. Events of the runbook bear the drill's phase of their time.

    From where people began the way back to where they end it the phase is the return, which such a drill has none of.
    Times are the drill's monotonic clock. Where the runbook's is another one they are taken from the wall clock. What
    lies before or after the drill is left out: it may grow while a run is measured again.
    """
    if not drill or not runbook:
        return tuple(drill)
    told, own = chronicle(drill), chronicle(runbook)
    apart_ns = own.wall_offset_ns - told.wall_offset_ns
    shift_ns = apart_ns if abs(apart_ns) > CLOCKS_AGREE_S * 1e9 else 0
    first_ns, last_ns = (pick(event.mono_ns for event in drill) for pick in (min, max))
    last = max(event.seq for event in drill)
    found, returning = list(drill), False
    for event in sorted(runbook, key=lambda one: one.seq):
        returning = returning or event.kind == RETURN_BEGINS
        at_ns = event.mono_ns + shift_ns
        if first_ns <= at_ns <= last_ns:
            phases = [phase.name for phase in told.phases if phase.start_ns <= at_ns]
            phase = RETURN if returning else phases[-1] if phases else event.phase
            found.append(replace(event, seq=last + 1 + event.seq, mono_ns=at_ns, phase=phase))
        returning = returning and event.kind != RETURN_ENDS
    return tuple(found)
