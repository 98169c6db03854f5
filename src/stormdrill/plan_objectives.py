"""What objectives must be: of tiers that there are, measurable, and within what the databases can keep."""

from __future__ import annotations

from collections.abc import Iterable

from stormdrill.activities import ACTIONS, FAIL_OVER, PRIMARY
from stormdrill.content.problems import unknown
from stormdrill.continuity import Continuity
from stormdrill.errors import Problem
from stormdrill.estate import OperationKind, Topology
from stormdrill.plan_moves import meant_by
from stormdrill.scenario import ActivityKind, Experiment
from stormdrill.targets import target_of


def objective_problems(
    experiment: Experiment, topology: Topology, continuity: Continuity
) -> Iterable[Problem]:
    """Every objective that names nothing there is, that nobody can measure, or that the databases cannot keep."""
    yield from _tier_problems(experiment, topology)
    if experiment.fault_class not in continuity.fault_classes:
        message = unknown("fault class", experiment.fault_class, continuity.fault_classes)
        line = experiment.lines.get("fault_class", 0)
        yield Problem(str(experiment.path), line, f"{message} in {continuity.path.name}")
        return
    yield from _unmeasured(experiment.fault_class, topology, continuity)
    yield from _unprotected(experiment, topology, continuity)


def _tier_problems(experiment: Experiment, topology: Topology) -> Iterable[Problem]:
    file = str(experiment.path)
    tiers = {*topology.tiers, *(tier[:1] for tier in topology.tiers)}
    stated = {
        "recovery_time": experiment.objectives.recovery_time_s,
        "data_loss": experiment.objectives.data_loss_s,
        "hurt": experiment.objectives.hurt,
        "success": experiment.objectives.success,
    }
    for name, table in stated.items():
        for tier in set(table) - tiers:
            place = f"objectives.{name}.{tier}"
            yield Problem(
                file, experiment.lines.get(place, 0), f"{place}: {unknown('tier', tier, sorted(tiers))}"
            )
    order = experiment.flow_control.order if experiment.flow_control else ()
    for tier in order:
        if tier not in tiers:
            line = experiment.lines.get("flow_control.order", 0)
            yield Problem(file, line, f"flow_control.order: {unknown('tier', tier, sorted(tiers))}")


def _unmeasured(fault_class: str, topology: Topology, continuity: Continuity) -> Iterable[Problem]:
    """A tier that no operation belongs to: its objectives would look kept, for nobody ever asks."""
    letters = {tier[:1] for tier in topology.tiers}
    for tier in continuity.fault_classes[fault_class].tiers:
        if tier[:1] not in letters:
            place = f"fault_classes.{fault_class}.tiers.{tier}"
            there = ", ".join(sorted(letters)) or "none"
            message = (
                f"{place}: nobody can measure it: no operation of {topology.path.name} is of tier {tier[:1]} "
                f"(there are: {there})"
            )
            yield Problem(str(continuity.path), continuity.lines.get(place, 0), message)


def _unprotected(experiment: Experiment, topology: Topology, continuity: Continuity) -> Iterable[Problem]:
    """Nothing may be lost, and what is hurt has no standby that surely has everything."""
    writes = [one for one in topology.operations.values() if one.kind is OperationKind.WRITE]
    targets = {one.name: target_of(experiment, continuity, one) for one in writes}
    strict = [name for name, target in targets.items() if target.data_loss_s == 0]
    if not strict or experiment.objectives.max_lost:
        return
    wanted = f"data_loss 0 of {', '.join(strict)} ({targets[strict[0]].basis.get('data_loss', '')})"
    for at, activity in enumerate(experiment.method):
        if activity.kind is not ActivityKind.ACTION or activity.function not in ACTIONS:
            continue
        cell = str(activity.arguments.get("cell") or topology.first_database)
        database = topology.databases.get(cell)
        hurt = ACTIONS[activity.function].hurts_database or activity.arguments.get("zone") == PRIMARY
        message = ""
        if hurt and database and len(database.members) < 2:
            message = f"the database of {cell} has one member: no synchronous standby has what it loses"
        elif activity.function == FAIL_OVER:
            meant = [
                name
                for name in meant_by(activity, experiment.method[:at], topology)
                if name in topology.databases
            ]
            message = f"the second site of {', '.join(meant)} follows asynchronously" if meant else ""
        if message:
            text = (
                f"{activity.name}: {wanted} cannot be kept: {message}; say what may be lost, or add a standby"
            )
            yield Problem(str(experiment.path), activity.line, text)
