"""The phases under load as plain functions over a session. Each ends by Aborted as soon as the run has to."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass

from stormdrill import wait
from stormdrill.drill.clocks import compare_prometheus
from stormdrill.drill.method import Method
from stormdrill.drill.recovery import HOLD_S, recovered
from stormdrill.drill.session import Session
from stormdrill.drill.toolkit import Toolkit
from stormdrill.errors import ActionError, DeadlineError, InputError, TargetError
from stormdrill.load.process import LoadProcess
from stormdrill.units import NS_PER_S

METHOD_LIMIT_S = 1800.0
_TOOLKIT_START_S = 60.0
_TOOLKIT_END_S = 180.0


def prepare(session: Session) -> None:
    """Record what was found, note where the books stand, start the load and let it warm up.

    InputError when the load cannot start; the run directory, in which nothing happened, is removed then.
    """
    session.enter("prepare")
    session.record("prepare.facts", **session.targets.facts)
    session.stop.during(lambda: compare_prometheus(session))
    session.since_books = session.stop.during(session.targets.books.high_water)
    session.record("books.high_water", since=session.since_books)
    try:
        session.load = LoadProcess.start(
            session.plan,
            session.run,
            session.on_second,
            check=session.stop.check,
            authorities=session.targets.authorities,
        )
    except (TargetError, InputError) as error:
        log = session.run.requests / "generator.log"
        tail = log.read_text(errors="replace").strip().splitlines()[-5:] if log.exists() else []
        shutil.rmtree(session.run.path)
        raise InputError("\n".join([f"the load cannot start: {error}", *tail])) from None
    session.record("load.started", mono_ns=session.load.ready_ns, pid=session.load.pid)
    _pass(session, session.plan.experiment.times.warmup_s)


def steady(session: Session) -> None:
    """The steady phase; what it shows is what normal looks like. The guard watches from here on."""
    begun_ns = session.enter("steady")
    session.guard_active.set()
    _pass(session, session.plan.experiment.times.steady_s)
    session.set_normal(begun_ns)


def inject(session: Session, method: Method, toolkit: Toolkit | None) -> None:
    """Let Chaos Toolkit check its hypothesis and play the method."""
    chaos = _Toolkit(session, method, toolkit)
    chaos.wait(method.connected.is_set, _TOOLKIT_START_S, "Chaos Toolkit's first question")
    method.steady_over.set()

    def begun() -> bool:
        return method.begun.is_set() or method.finished.is_set()

    chaos.wait(begun, METHOD_LIMIT_S, "the steady-state hypothesis")
    if not method.begun.is_set():
        session.stop.request("the steady-state hypothesis did not hold: nothing was injected", "drill")
    session.stop.check()
    session.enter("inject")
    method.opened.set()
    chaos.wait(method.ended.is_set, METHOD_LIMIT_S, "the end of the method")


def recover(session: Session) -> None:
    """Wait until the load is as good as normal again and every proof is in, or the limit has passed."""
    session.enter("recover")
    t0_ns = session.injector.first_t0_ns
    if t0_ns is None:
        return
    last_t0_ns = session.injector.last_t0_ns or t0_ns
    limit_s = session.plan.experiment.times.recover_limit_s
    left_s = limit_s - (time.monotonic_ns() - t0_ns) / NS_PER_S

    def served() -> bool:
        session.check_load(time.monotonic_ns())
        seconds = session.load.seconds if session.load else []
        return recovered(seconds, last_t0_ns, session.normal) and session.injector.all_proven

    try:
        session.stop.until(served, deadline_s=max(0.0, left_s), what="recovery", poll_s=0.2)
    except DeadlineError:
        session.record("recover.timeout", limit_s=limit_s)
    else:
        now_ns = time.monotonic_ns()
        session.well_since_ns = now_ns - HOLD_S * NS_PER_S
        session.record("recover.seen", after_s=round((now_ns - t0_ns) / NS_PER_S, 1), hold_s=HOLD_S)


def leave_toolkit(session: Session, method: Method, toolkit: Toolkit | None) -> None:
    """Let Chaos Toolkit check its hypothesis again, play its rollbacks and hand over its journal."""
    method.recovered.set()
    chaos = _Toolkit(session, method, toolkit)
    chaos.wait(method.finished.is_set, _TOOLKIT_END_S, "Chaos Toolkit's journal")
    if toolkit:
        toolkit.leave()


def revert(session: Session) -> None:
    """Revert every fault, newest first. A stopped run does not wait long for the estate to be whole again."""
    session.enter("revert")
    session.reverted = True
    session.injector.revert_all(session.plan.experiment.times.recover_limit_s)


def come_back(session: Session, method: Method) -> None:
    """Bring back what the method failed over, if it asks for that. A way back that fails cuts the run, and holds."""
    if method.way_back is None:
        return
    session.enter("return")
    try:
        session.switching.fail_back(**method.way_back)
    except (ActionError, TargetError) as error:
        session.stop.request(f"not come back: {error}", "drill")
        session.stop.check()
    _served_again(session)
    method.returned.set()


def _served_again(session: Session) -> None:
    """Wait until customers are served as before after the switch back, which has paused their writes."""
    back_ns, limit_s = time.monotonic_ns(), session.plan.experiment.times.recover_limit_s

    def served() -> bool:
        session.check_load(time.monotonic_ns())
        return recovered(session.load.seconds if session.load else [], back_ns, session.normal)

    try:
        session.stop.until(served, deadline_s=limit_s, what="good service after the return", poll_s=0.2)
    except DeadlineError:
        session.record("return.timeout", limit_s=limit_s)
    else:
        session.well_since_ns = time.monotonic_ns() - HOLD_S * NS_PER_S


def settle(session: Session) -> None:
    """The same load for one window H (or `settle`, when that is longer), nothing else happening."""
    session.enter("settle")
    times = session.plan.experiment.times
    _pass(session, max(times.window_s, times.settle_s))


def _pass(session: Session, seconds: float) -> None:
    """Let planned time pass while the load lives."""
    end = time.monotonic() + seconds
    while (left_s := end - time.monotonic()) > 0:
        session.check_load(time.monotonic_ns())
        session.stop.check()
        wait.pause(min(0.1, left_s))


@dataclass(frozen=True)
class _Toolkit:
    """Waiting for Chaos Toolkit: its death or the load's cuts the run."""

    session: Session
    method: Method
    process: Toolkit | None

    def wait(self, condition: Callable[[], bool], limit_s: float, what: str) -> None:
        """Wait until `condition`; Aborted when the run ends, DeadlineError naming `what`."""

        def tried() -> bool:
            if condition():
                return True
            self.session.check_load(time.monotonic_ns())
            if self.process and not self.process.alive and not self.method.finished.is_set():
                self.session.stop.request(self.process.why_dead(), "drill")
            return False

        self.session.stop.until(tried, deadline_s=limit_s, what=what, poll_s=0.05)
