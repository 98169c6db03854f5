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
    for tier in set(experiment.objectives.data_loss_s) & tiers:
        if not _writes(tier, topology):
            place = f"objectives.data_loss.{tier}"
            why = f"{place}: nobody can measure it: {_nothing_written(tier, topology)}"
            yield Problem(file, experiment.lines.get(place, 0), why)
    order = experiment.flow_control.order if experiment.flow_control else ()
    for tier in order:
        if tier not in tiers:
            line = experiment.lines.get("flow_control.order", 0)
            yield Problem(file, line, f"flow_control.order: {unknown('tier', tier, sorted(tiers))}")


def _unmeasured(fault_class: str, topology: Topology, continuity: Continuity) -> Iterable[Problem]:
    """Objectives that would look kept: nobody ever asks for what they are about, or no check compares it."""
    letters = {tier[:1] for tier in topology.tiers}
    for tier, objective in continuity.fault_classes[fault_class].tiers.items():
        place = f"fault_classes.{fault_class}.tiers.{tier}"
        if tier[:1] not in letters:
            there = ", ".join(sorted(letters)) or "none"
            what = f"no operation of {topology.path.name} is of tier {tier[:1]} (there are: {there})"
            yield _nobody(continuity, place, what)
        elif objective.data_loss is not None and not _writes(tier, topology):
            yield _nobody(continuity, f"{place}.data_loss", _nothing_written(tier, topology))
        if objective.bystanders is not None:
            what = "no check compares the cells that were not hurt; drop it"
            yield _nobody(continuity, f"{place}.bystanders", what)


def _nobody(continuity: Continuity, place: str, why: str) -> Problem:
    message = f"{place}: nobody can measure it: {why}"
    return Problem(str(continuity.path), continuity.lines.get(place, 0), message)


def _writes(tier: str, topology: Topology) -> bool:
    """Whether anything of a tier writes; that of `A` is A1's and A2's as well."""
    operations = topology.operations.values()
    return any(one.kind is OperationKind.WRITE and tier in (one.tier, one.tier[:1]) for one in operations)


def _nothing_written(tier: str, topology: Topology) -> str:
    return (
        f"no operation of {topology.path.name} of tier {tier} is of 'kind: write', and only what was written can be "
        "lost; give the tier one, or drop it"
    )


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
