"""The drill: one plan through its phases to a verdict, in one public function."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from stormdrill import judge, measure, report, store
from stormdrill.drill import collect, leftover, phases, ready
from stormdrill.drill.channel import Channel
from stormdrill.drill.clocks import compare_prometheus
from stormdrill.drill.connect import connect
from stormdrill.drill.lock import Lock
from stormdrill.drill.method import Method
from stormdrill.drill.probes import probes_of
from stormdrill.drill.samplers import Samplers
from stormdrill.drill.session import Session
from stormdrill.drill.stop import Stop
from stormdrill.drill.toolkit import Toolkit
from stormdrill.drill.view import View
from stormdrill.errors import Aborted, InputError, TargetError, UnjudgedError
from stormdrill.history import History
from stormdrill.plan import Plan
from stormdrill.store import Run
from stormdrill.verdict import Verdict


@dataclass(frozen=True)
class Options:
    """Where runs are kept; `attach` is the socket that an already running Chaos Toolkit will call."""

    runs: Path
    attach: Path | None = None


def drill(plan: Plan, options: Options, stop: Stop, view: View) -> tuple[Run, Verdict]:
    """Run one drill and judge it.

    1. *prepare*: every target answers and is the right cluster, pods are ready, the database has a leader and
       its members stream, Prometheus is fresh, every fault of the method finds its targets; runs whose
       harness was killed are marked; the lock is taken; the books' high-water mark is read. What is wrong
       here is an InputError: nothing was injected and no run directory is left. Then the load is started.
    2. *steady*: warm-up (not judged), then the steady phase; its live seconds are what normal looks like.
    3. *inject*: Chaos Toolkit plays the experiment's method; each action is applied, proven and recorded
       here. An action that hurts nothing ends the run.
    4. *recover*: until the live seconds are as good as normal and every proof is in, or the limit has passed.
    5. *revert*: newest first; what was hurt is whole again, or it is recorded that it is not. Then Chaos
       Toolkit checks its hypothesis again, plays its rollbacks and hands over its journal.
       When the method failed a database over and says `fail_back`, *return* follows: the lost site is rebuilt and
       switched back to.
    6. *settle*: the same load for one window H, so that the recovery can be seen to last.
    7. *audit*: the load is stopped; the Prometheus samples to be judged and the books are stored.
    8. *measure*, *judge*, *report*: pure steps over the run directory.

    From the first moment to the end of settle a stop (guard, signal, user; the generator's death) skips to
    revert: Chaos Toolkit is killed, nothing more is injected, and what was recorded is audited and judged. A
    process of ours that outlives this function is a bug: the load and Chaos Toolkit also die with the thread
    that started them.

    Raises InputError (see 1), Aborted when stopped before there was a run to judge, and UnjudgedError when
    the run cannot be judged (a full disk).
    """
    targets = connect(plan, stop)
    ready.await_ready(plan, targets, stop, view)
    ready.rehearse(plan, targets, stop)
    for dead in leftover.mark_dead(options.runs):
        view.say(f"{dead.path}: its harness was killed; marked as aborted")
    lock = Lock(targets.lock_cluster, plan.topology.lock)
    if before := lock.take(stop):
        view.say(f"drill lock taken over from {before}")
    try:
        run = store.create(options.runs, plan.experiment.name)
        store.write_json(run.plan, plan.to_json())
        session = Session(plan, run, History(run.history), stop, targets, view)
        try:
            return run, _run(session, options, lock)
        except (InputError, OSError) as error:
            if session.injector.first_t0_ns is None:
                raise
            raise UnjudgedError(f"{run.path}: no verdict: {error}") from error
    finally:
        lock.release()


def _run(session: Session, options: Options, lock: Lock) -> Verdict:
    method = Method(
        session.run,
        session.stop,
        session.injector,
        probes_of(session),
        session.record,
        switching=session.switching,
    )
    channel = Channel(method.answer, options.attach)
    leftover.claim(session.run, channel.directory)
    lock.keep(lambda why: session.stop.request(why, "guard"))
    samplers = Samplers(session)
    try:
        _play(session, method, options, channel, samplers)
        _stop_load(session)
        samplers.close()
        collect.collect(session)
        return _judge(session)
    finally:
        if session.load:
            session.load.kill()
        samplers.close()
        channel.close()
        session.history.close()
        leftover.release(session.run)


def _play(session: Session, method: Method, options: Options, channel: Channel, samplers: Samplers) -> None:
    """Phases 1 to 6; returns in every case, with the estate reverted."""
    toolkit: Toolkit | None = None
    try:
        phases.prepare(session)
        samplers.start()
        if options.attach is None:
            toolkit = Toolkit.start(session.plan.experiment.path, session.run, channel.path)
        phases.steady(session)
        phases.inject(session, method, toolkit)
        phases.recover(session)
        phases.revert(session)
        phases.come_back(session, method)
        phases.leave_toolkit(session, method, toolkit)
        phases.settle(session)
    except Aborted:
        pass
    except TargetError as error:
        session.stop.request(str(error), "drill")
    finally:
        if toolkit:
            toolkit.kill()
        _record_stop(session)
        _give_back(session)


def _give_back(session: Session) -> None:
    """End the faults, and what was failed over or not: neither waits for the other."""
    ending = threading.Thread(target=session.switching.end, name="end of moves", daemon=True)
    ending.start()
    if not session.reverted:
        phases.revert(session)
    ending.join()


def _record_stop(session: Session) -> None:
    cause = session.stop.cause
    if cause:
        kind = "abort" if cause.aborted else "cut"
        session.record(kind, reason=cause.reason, by=cause.by, objective=cause.objective)


def _stop_load(session: Session) -> None:
    session.enter("audit")
    if session.load:
        session.load.stop()
        session.record("load.stopped", error=session.load.error)
    compare_prometheus(session)


def _judge(session: Session) -> Verdict:
    session.enter("measure")
    measure.measure(session.run)
    session.enter("judge")
    verdict = judge.judge(session.run)
    session.enter("report")
    try:
        report.render(session.run)
    except Exception as error:  # noqa: BLE001 - the verdict stands; the report can be made again from the run
        why = f"{type(error).__name__}: {error}"
        session.record("report.failed", why=why)
        session.view.say(f"the report could not be written: {why}")
    return verdict
