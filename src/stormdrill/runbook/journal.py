"""What was done, as events in a history, and what that means for going on after a `kill -9`.

Events: `runbook.start`, `runbook.resumed`, `step.start`, `step.begun` (an action was agreed to), `step.failed`,
`step.done` (with `result`), `step.skipped`, `decision`, `approval`, `runbook.left`, `runbook.end`, and those that a
step's `marks` name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stormdrill import history
from stormdrill.errors import InputError
from stormdrill.history import Event
from stormdrill.runbook.values import Step

_SETTLING = ("step.done", "step.skipped")
_CLOSING = (*_SETTLING, "step.failed")


@dataclass
class State:
    """`settled`: the last word on each step that needs nothing more. `under_way`: begun, and no end known."""

    start: Mapping[str, Any] | None = None
    settled: dict[str, Event] = field(default_factory=dict)
    under_way: str | None = None
    marked: set[tuple[str, str]] = field(default_factory=set)
    ended: bool = False

    def take(self, event: Event) -> None:
        """Fold in one event."""
        step = str(event.data.get("step", ""))
        if event.kind == "runbook.start":
            self.start = event.data
        elif event.kind == "step.begun" or (
            event.kind == "step.start" and event.data.get("kind_of_step") != "action"
        ):
            self.under_way = step
        elif event.kind in _CLOSING and self.under_way == step:
            self.under_way = None
        if event.kind in _SETTLING:
            self.settled[step] = event
        if event.kind == "runbook.end":
            self.ended = event.data.get("outcome") == "done"
        if "moment" in event.data:
            self.marked.add((step, event.data["moment"]))


def read_state(path: Path) -> State:
    """What a history says. InputError when it is none."""
    state = State()
    if not path.exists():
        return state
    try:
        for event in history.read(path):
            state.take(event)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path}: not a history: {error}") from None
    return state


class Journal:
    """Appends to one history and keeps the state it amounts to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state = read_state(path)
        self._history = history.History(path)
        self._history.phase = "recover"

    def write(self, kind: str, actor: str, **data: Any) -> Event:
        """One event, on disk when this returns."""
        event = self._history.append(kind, actor, **data)
        self.state.take(event)
        return event

    def tell(self, kind: str, actor: str, *, mono_ns: int | None = None, **data: Any) -> Event:
        """One event of a director that acts for a step; `mono_ns` is when it came about, if not now."""
        return self._history.append(kind, actor, mono_ns=mono_ns, **data)

    def of_step(self, kind: str, step: Step, actor: str, **data: Any) -> Event:
        """One event of a step."""
        return self.write(kind, actor, step=step.id, number=step.number, title=step.title, **data)

    def mark(
        self, step: Step, moment: str, actor: str, about: Mapping[str, str] | None = None, **data: Any
    ) -> None:
        """The drill's event that this moment of the step stands for, if it is one; once, however often it is tried."""
        kind = step.marks.get(moment)
        if kind is not None and (step.id, moment) not in self.state.marked:
            said = {**step.about, **(about or {}), **data}
            self.write(kind, actor, **said, step=step.id, moment=moment)

    def close(self) -> None:
        """Close the file."""
        self._history.close()
