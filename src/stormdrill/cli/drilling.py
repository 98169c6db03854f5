"""`run` and `gate`: plans from files and flags, drills one after another, one table at the end."""

from __future__ import annotations

import argparse
import json
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from stormdrill import store
from stormdrill.chaos.child import die_with_parent
from stormdrill.cli import laboratory, summary
from stormdrill.cli.ending import Ending, of_error, of_failure, of_verdict, together
from stormdrill.cli.output import complain, reader_may_leave
from stormdrill.cli.progress import progress
from stormdrill.cli.signals import stopping
from stormdrill.cli.table import print_table
from stormdrill.drill.run import Options, drill
from stormdrill.drill.stop import Stop
from stormdrill.errors import ExitCode, InputError, Problem, StormdrillError
from stormdrill.plan import Overrides, Plan
from stormdrill.plan import load as load_plan
from stormdrill.priority import go_before_others

GATE_EXPERIMENTS = tuple(
    Path(f"experiments/{name}.yaml")
    for name in ("pod-kill", "db-primary-loss", "zone-partition", "zone-outage", "remote-failover")
)
_NICER_THAN_THE_LAB = -5
_AROUND_S = 30.0  # prepare, Chaos Toolkit's start, audit, judging, report


def run(arguments: argparse.Namespace) -> int:
    """Run the experiments in turn; the exit code is the gravest of theirs."""
    if arguments.attach:
        _attach()
    endings = _drills(arguments, arguments.experiments)
    _show(arguments, endings)
    return together(endings)


def gate(arguments: argparse.Namespace) -> int:
    """The same for CI: what would not end within the budget is not started, and is inconclusive."""
    junit = arguments.junit or arguments.runs / "gate-junit.xml"
    markdown = arguments.summary or arguments.runs / "gate-summary.md"
    experiments = arguments.experiments or list(GATE_EXPERIMENTS)
    endings = _drills(arguments, experiments, arguments.budget, files=(junit, markdown))
    try:
        summary.write_junit(junit, endings)
        summary.write_markdown(markdown, endings)
    except OSError as error:
        endings.append(
            of_error("gate", "no summary", ExitCode.BAD_INPUT, f"{error.filename}: {error.strerror}")
        )
    _show(arguments, endings)
    if not arguments.json:
        with reader_may_leave():
            print(f"{junit}\n{markdown}")
    return together(endings)


def _drills(
    arguments: argparse.Namespace,
    experiments: list[Path],
    budget_s: float | None = None,
    files: Iterable[Path] = (),
) -> list[Ending]:
    """Run them in turn, once it is known that their results (and `files`) can be written."""
    began = time.monotonic()
    stop = Stop()
    with stopping(stop):
        plans = _plans(arguments, experiments)
        store.need_directory(arguments.runs)
        for file in files:
            store.need_file(file)
        with _estate(arguments, plans, stop) as plans:
            _raise_priority()
            endings = []
            for plan in plans:
                left_s = None if budget_s is None else budget_s - (time.monotonic() - began)
                endings.append(_drill(arguments, plan, stop, left_s))
            return endings


def _plans(arguments: argparse.Namespace, experiments: list[Path]) -> list[Plan]:
    """Every plan, before anything is started; InputError with the problems of all of them."""
    overrides = Overrides(
        topology=arguments.topology,
        contexts=dict(arguments.context),
        kubeconfig=arguments.kubeconfig,
        locustfile=arguments.locustfile,
        profile=arguments.profile,
        seed=arguments.seed,
        scale=arguments.scale,
        times=arguments.times,
    )
    plans: list[Plan] = []
    problems: set[Problem] = set()
    for path in experiments:
        try:
            plans.append(load_plan(path, overrides))
        except InputError as error:
            problems.update(error.problems)
    if problems:
        raise InputError(sorted(problems))
    return plans


@contextmanager
def _estate(arguments: argparse.Namespace, plans: list[Plan], stop: Stop) -> Iterator[list[Plan]]:
    """With `--lab`: the plans against a lab that lives as long as the block."""
    if not arguments.lab:
        yield plans
        return
    topology = plans[0].topology.path
    if topology.stem != arguments.lab:
        topology = topology.with_name(f"{arguments.lab}.yaml")
    if any(plan.topology.path != topology or not plan.topology.has_lab for plan in plans):
        raise InputError(
            f"--lab {arguments.lab}: every experiment must use the topology {topology} with a lab block"
        )
    with laboratory.running(topology, stop, quiet=arguments.json) as kubeconfig:
        yield [replace(plan, kubeconfig=kubeconfig) for plan in plans]


def _drill(arguments: argparse.Namespace, plan: Plan, above: Stop, left_s: float | None) -> Ending:
    """One drill to its ending, whatever happens to it: those before and after it keep theirs."""
    name = plan.experiment.name
    if refused := _refused(plan, above, left_s):
        return refused
    began, stop = time.monotonic(), Stop(above)
    try:
        with progress(name, as_json=arguments.json) as view, _limited(stop, left_s):
            done, verdict = drill(plan, Options(arguments.runs, arguments.attach), stop, view)
    except (StormdrillError, OSError) as error:
        cut = stop.cause is not None and not stop.cause.aborted
        return of_failure(name, error, cut=cut)
    return of_verdict(done, verdict, time.monotonic() - began)


def _refused(plan: Plan, above: Stop, left_s: float | None) -> Ending | None:
    """Why the drill is not even begun, if it is not: a person wants the end, or the budget does not suffice."""
    name, times = plan.experiment.name, plan.experiment.times
    needed_s = times.warmup_s + times.steady_s + max(times.window_s, times.settle_s) + _AROUND_S
    if above.cause:
        return of_error(name, "not run", ExitCode.ABORTED, above.cause.reason)
    if left_s is not None and left_s < needed_s:
        why = f"the budget has {left_s:.0f} s left, this drill needs about {needed_s:.0f} s"
        return of_error(name, "not run", ExitCode.INCONCLUSIVE, why)
    return None


@contextmanager
def _limited(stop: Stop, left_s: float | None) -> Iterator[None]:
    """Cut the drill when the budget is used up."""
    if left_s is None:
        yield
        return
    timer = threading.Timer(left_s, stop.request, ("the time budget is used up", "drill"))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _show(arguments: argparse.Namespace, endings: list[Ending]) -> None:
    with reader_may_leave():
        if arguments.json:
            drills = [ending.to_json() for ending in endings]
            print(json.dumps({"exit_code": int(together(endings)), "drills": drills}))
        else:
            print_table(endings)


def _attach() -> None:
    """A supervisor that Chaos Toolkit's control started ends in order when Chaos Toolkit dies."""
    die_with_parent(os.getppid(), signal.SIGTERM)


def _raise_priority() -> None:
    """Harness and generator before the lab; without the right to do so, go on as it is."""
    if not go_before_others(_NICER_THAN_THE_LAB):
        complain("note: no right to raise the generator's priority")
