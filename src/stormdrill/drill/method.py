"""What Chaos Toolkit asks the supervisor, and how far it has come: the supervisor's half of the socket.

Chaos Toolkit plays the experiment in its own process. It waits here for the end of the steady phase, has each
fault applied here, waits here after the method until customers are served again, and hands over its journal.
A fault that could not be applied ends the run: Chaos Toolkit itself would go on to the next one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from stormdrill import store
from stormdrill.activities import ACCEPTED, FENCED, RETURN, SKIPPED
from stormdrill.drill.injector import Injector
from stormdrill.drill.stop import Stop
from stormdrill.drill.switching import Switching
from stormdrill.errors import ActionError, RevertError, TargetError
from stormdrill.faults import Record
from stormdrill.faults.registry import fault_of
from stormdrill.store import Run
from stormdrill.units import parse_duration_s

Probe = Callable[..., Any]


class Method:
    """Progress of the experiment's method; every wait ends, by Aborted, when the run has to end."""

    def __init__(
        self,
        run: Run,
        stop: Stop,
        injector: Injector,
        probes: dict[str, Probe],
        record: Record,
        *,
        switching: Switching | None = None,
    ) -> None:
        self._run = run
        self._stop = stop
        self._injector = injector
        self._probes = probes
        self._record = record
        self._switching = switching
        self.way_back: dict[str, str] | None = None
        self.returned = threading.Event()
        self.connected = threading.Event()
        self.steady_over = threading.Event()
        self.begun = threading.Event()
        self.opened = threading.Event()
        self.ended = threading.Event()
        self.recovered = threading.Event()
        self.finished = threading.Event()
        self._operations: dict[str, Callable[..., Any]] = {
            "await_steady": self._await_steady,
            "may_go_on": self._may_go_on,
            "method_begins": self._method_begins,
            "inject": self._inject,
            "heal": self._heal,
            "fail_over": self._fail_over,
            "fail_back": self._fail_back,
            "wait": self._wait,
            "probe": self._probe,
            "hypothesis": self._hypothesis,
            "activity_failed": self._activity_failed,
            "method_ended": self._method_ended,
            "finish": self._finish,
            "abort": self._abort,
        }

    def answer(self, op: str, arguments: dict[str, Any]) -> Any:
        """One request of Chaos Toolkit's process. ActionError for one that does not exist."""
        operation = self._operations.get(op)
        if operation is None:
            raise ActionError(f"the supervisor knows no {op!r}")
        return operation(**arguments)

    def _await(self, event: threading.Event) -> None:
        while not event.wait(0.05):
            self._stop.check()
        self._stop.check()

    def _await_steady(self) -> None:
        self.connected.set()
        self._await(self.steady_over)

    def _may_go_on(self, activity: str) -> None:  # noqa: ARG002 - the name is for the record of who asked
        self._stop.check()

    def _method_begins(self, activities: int) -> None:  # noqa: ARG002
        self.begun.set()
        self._await(self.opened)

    def _inject(self, fault: str, **arguments: Any) -> dict[str, object]:
        self._need_method("a fault", "injected")
        try:
            if arguments.get(RETURN) == FENCED:
                self._moving().arm(str(arguments.get("region")))
            return self._injector.inject(fault, fault_of(fault, arguments))
        except (ActionError, TargetError, RevertError) as error:
            self._stop.request(f"{fault} hurt nothing: {error}", "drill")
            raise

    def _heal(self, fault: str) -> list[str]:
        try:
            return self._injector.heal(fault)
        except RevertError as error:
            self._stop.request(f"not healed: {error}", "drill")
            raise

    def _fail_over(
        self, cell: str, why: str, after: str, fence: str, *, i_accept_dual_writes: bool = False
    ) -> dict[str, Any]:
        self._need_method("a failover", "moved")
        if fence and (fence != SKIPPED or i_accept_dual_writes is not True):
            raise ActionError(f"fence: {fence} needs '{ACCEPTED}: true'; nothing was moved")
        after_s = parse_duration_s(after) if after else 0.0
        try:
            return self._moving().fail_over(
                cell, why, after_s=after_s, t0_ns=self._injector.first_t0_ns, fence=fence
            )
        except (ActionError, TargetError) as error:
            self._stop.request(f"not failed over: {error}", "drill")
            raise

    def _fail_back(self, cell: str, why: str) -> dict[str, Any]:
        """The method ends here: recovery, the end of all faults and the way back are phases of the drill."""
        self._need_method("a way back", "moved")
        self._moving()
        self.way_back = {"cell": cell, "why": why}
        self.ended.set()
        self._await(self.returned)
        return self.way_back

    def _need_method(self, what: str, done: str) -> None:
        if not self.opened.is_set() or self.ended.is_set():
            raise ActionError(f"{what} belongs into the experiment's method; nothing was {done}")

    def _moving(self) -> Switching:
        if self._switching is None:
            raise ActionError("nothing can be moved here")
        return self._switching

    def _wait(self, duration: str) -> None:
        self._stop.pause(parse_duration_s(duration))

    def _probe(self, probe: str, **arguments: Any) -> Any:
        return self._probes[probe](**arguments)

    def _hypothesis(self, title: str, met: bool, probes: list[dict[str, Any]]) -> None:
        self._record("hypothesis", actor="chaostoolkit", title=title, met=met, probes=probes)

    def _activity_failed(self, activity: str, error: str) -> None:
        self._record("activity.failed", actor="chaostoolkit", activity=activity, error=error)

    def _method_ended(self, played: int, planned: int) -> None:
        if played < planned:
            self._stop.request("Chaos Toolkit was interrupted in the method", "signal")
        self.ended.set()
        self._await(self.recovered)

    def _finish(self, journal: dict[str, Any]) -> None:
        store.write_json(self._run.journal, journal)
        if journal.get("status") == "interrupted":
            self._stop.request("Chaos Toolkit was interrupted", "signal")
        self.finished.set()

    def _abort(self, reason: str, by: str) -> None:
        self._stop.request(reason, by if by in ("signal", "user") else "user")
