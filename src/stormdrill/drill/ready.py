"""The last checks before the start: pods ready, databases whole, canaries green, every fault finds whom to hurt.

All but the last may need a moment after a drill.
"""

from __future__ import annotations

import random

from stormdrill.activities import HARMLESS, MOVES
from stormdrill.drill.connect import Targets
from stormdrill.drill.moves import rehearse as rehearse_move
from stormdrill.drill.stop import Stop
from stormdrill.drill.view import View
from stormdrill.errors import (
    ActionError,
    DeadlineError,
    InputError,
    Problem,
    StormdrillError,
    TargetError,
)
from stormdrill.estate import Service
from stormdrill.faults import Estate
from stormdrill.faults.canaries import Canaries, not_green
from stormdrill.faults.primary import trouble
from stormdrill.faults.registry import fault_of
from stormdrill.plan import Plan
from stormdrill.scenario import ActivityKind

READY_S = 60.0


def await_ready(plan: Plan, targets: Targets, stop: Stop, view: View) -> None:
    """Wait until the estate is as a drill needs it. InputError with everything that is not, after READY_S.

    A selector that matches nothing does not get better by waiting and is reported at once.
    """
    problems = stop.during(lambda: _missing(plan, targets))
    if problems:
        raise InputError([Problem(str(plan.topology.path), 0, text) for text in problems])
    said: list[str] = []

    def ready() -> bool:
        found = stop.during(lambda: unready(plan, targets))
        if found != said:
            said[:] = found
            for text in found:
                view.say(f"not ready yet: {text}")
        return not found

    try:
        stop.until(ready, deadline_s=READY_S, what="the estate", poll_s=0.5)
    except DeadlineError:
        raise InputError(
            [Problem(str(plan.topology.path), 0, f"not ready for a drill: {text}") for text in said]
        ) from None


def rehearse(plan: Plan, targets: Targets, stop: Stop) -> None:
    """Have every fault of the method find its targets now. InputError with those that do not, and where.

    The load would otherwise run for a whole steady phase to show what the plan could have been told at once.
    """
    estate = Estate(
        topology=plan.topology,
        clusters=targets.clusters,
        directors=targets.directors,
        record=lambda *_, **__: None,
        choose=random.Random(),  # not the run's: what is drawn in earnest stays as the seed has it
        check_stop=stop.check,
        canaries=targets.canaries,
    )
    problems = []
    for at, activity in enumerate(plan.experiment.method):
        if activity.kind is not ActivityKind.ACTION or activity.function in HARMLESS:
            continue
        stop.check()
        try:
            if activity.function in MOVES:
                rehearse_move(plan.topology, targets.clusters, activity, plan.experiment.method[:at])
                continue
            fault_of(activity.function, activity.arguments).rehearse(estate)
        except (ActionError, TargetError) as error:
            problems.append(Problem(str(plan.experiment.path), activity.line, f"{activity.name}: {error}"))
    if problems:
        raise InputError(problems)


def unready(plan: Plan, targets: Targets) -> list[str]:
    """What stands against a drill now."""
    found = []
    for service in plan.topology.services.values():
        for region in service.regions or plan.topology.regions:
            pods = targets.clusters[region].pods(service.namespace, service.label_selector)
            idle = [pod.name for pod in pods if not pod.ready]
            if idle:
                found.append(f"service {service.name} in {region}: {', '.join(idle)} not ready")
    for cell, director in targets.directors.items():
        if why := trouble(director, standbys=0):
            found.append(f"database of {cell}: {why}")
    if targets.canaries and (why := _canaries(targets.canaries)):
        found.append(f"canaries: {why}")
    return found


def _canaries(canaries: Canaries) -> str:
    try:
        return not_green(canaries.look(), canaries.zones)
    except StormdrillError as error:
        return str(error)


def _missing(plan: Plan, targets: Targets) -> list[str]:
    return [
        f"service {service.name}: no pod {service.label_selector} in namespace {service.namespace} of {where}"
        for service in plan.topology.services.values()
        if (where := _nowhere(service, plan, targets))
    ]


def _nowhere(service: Service, plan: Plan, targets: Targets) -> str:
    """The regions without a pod of the service, when it should have one there."""
    regions = list(service.regions or plan.topology.regions)
    try:
        empty = [
            r for r in regions if not targets.clusters[r].pods(service.namespace, service.label_selector)
        ]
    except TargetError as error:
        return f"{', '.join(regions)}: {error}"
    must_be_everywhere = bool(service.regions)
    return ", ".join(empty) if empty and (must_be_everywhere or len(empty) == len(regions)) else ""
