"""Blocks of a runbook to steps, strictly; every problem is collected at its line."""

from __future__ import annotations

from stormdrill.content import Fields, Node
from stormdrill.content.problems import unknown
from stormdrill.runbook.calls import Call
from stormdrill.runbook.calls.command import Command
from stormdrill.runbook.calls.http import Http
from stormdrill.runbook.calls.registry import CALLS
from stormdrill.runbook.markdown import Section
from stormdrill.runbook.values import (
    END,
    GO_ON,
    STOP,
    Action,
    Approval,
    Check,
    Decision,
    Expectation,
    Manual,
    Step,
    Waiver,
    Work,
)

KINDS = ("manual", "check", "action", "decision", "approval")
# Events of the drill that a step may stand for; measuring knows them.
MARKS = ("fence.armed", "promote.started", "promote.done", "route.changed")
_WITHIN_S = 10.0
_DAY_S = 86400.0


def decode_step(number: int, section: Section, node: Node) -> Step:
    """The step under one heading."""
    with node.fields() as fields:
        kind = fields.need("kind").choice(KINDS)
        if not kind:
            fields.pass_over()
            kind = "manual"
        name = fields.need("id").name()
        work = _WORK[kind](fields)
        waiver = fields.get("waive").maybe(_waiver) if kind in ("check", "action", "manual") else None
        marks = {at: child.choice(MARKS, MARKS[0]) for at, child in fields.get("marks").items()}
        about = {key: child.text() for key, child in fields.get("about").items()}
        for at, child in fields.get("marks").items():
            if at not in ("start", "done"):
                child.problem(unknown("moment", at, ("start", "done")))
        if about and not marks:
            fields.get("about").problem("says what 'marks' are about, and there are none")
    title = section.title.partition(". ")[2]
    return Step(name, number, title, section.prose, section.line, work, waiver, marks, about)


def _manual(fields: Fields) -> Work:
    skip = fields.get("auto").choice(("skip", "refuse"), "refuse") == "skip"
    return Manual(_expectation(fields, "proof"), skip)


def _check(fields: Fields) -> Work:
    call = _call(fields.node, fields)
    if call.changes and not isinstance(call, Command):
        fields.node.problem("a check only looks; what changes something is an action")
    return Check(_timed(fields, call))


def _action(fields: Fields) -> Work:
    call = _call(fields.node, fields)
    already, proof = _expectation(fields, "already"), _expectation(fields, "proof")
    repeatable = fields.get("repeatable").boolean(False)
    if not call.changes:
        fields.node.problem("an action that changes nothing is a check")
    if already is None and not repeatable:
        fields.node.problem(
            "an action that may be cut off half way needs 'already' (how to see that it is done) or "
            "'repeatable: true' (doing it twice is as doing it once)"
        )
    if proof is None and isinstance(call, Http):
        fields.node.problem("needs a 'proof': that a request was accepted does not show what came of it")
    return Action(call, already, repeatable, proof)


def _decision(fields: Fields) -> Work:
    options = {name: child.text() for name, child in fields.need("options").items()}
    if len(options) == 1:
        fields.get("options").problem("one option is no decision; an approval perhaps?")
    default = fields.need("default").choice(options)
    return Decision(options, default, fields.get("people").integer(1, low=1, high=9))


def _approval(fields: Fields) -> Work:
    return Approval(fields.need("people").integer(1, low=1, high=9))


_WORK = {"manual": _manual, "check": _check, "action": _action, "decision": _decision, "approval": _approval}


def _waiver(node: Node) -> Waiver:
    with node.fields() as fields:
        about = {key: child.text() for key, child in fields.get("about").items()}
        goes_on = fields.get("default").choice((GO_ON, STOP), STOP) == GO_ON
        return Waiver(fields.need("people").integer(1, low=1, high=9), goes_on, about)


def _expectation(fields: Fields, key: str) -> Expectation | None:
    node = fields.get(key)
    if not node.present:
        return None
    with node.fields() as own:
        call = _call(node, own)
        if isinstance(call, Http) and call.changes:
            node.problem("only looks: no other method than GET")
        if key == "already" and call.changes and not isinstance(call, Command):
            node.problem("is asked before anything was agreed to, so it may only look")
        return _timed(own, call, within_s=0.0 if key == "already" else _WITHIN_S)


def _timed(fields: Fields, call: Call, within_s: float = _WITHIN_S) -> Expectation:
    for_s = fields.get("for").duration_s(0.0, high=_DAY_S)
    within = fields.get("within")
    found = Expectation(call, within.duration_s(max(within_s, for_s), high=_DAY_S), for_s)
    if within.present and found.within_s < found.for_s:
        within.problem("shorter than 'for': it could never hold that long")
    return found


def _call(node: Node, fields: Fields) -> Call:
    """The one call that the mapping names."""
    named = [name for name in CALLS if fields.get(name).present]
    if len(named) != 1:
        node.problem(f"give exactly one of {', '.join(CALLS)}")
        return Command("", None, 0.0)
    return CALLS[named[0]](fields.get(named[0]))


def check_options(steps: list[Step], nodes: dict[int, Node]) -> None:
    """What one step says about others: ids once, and decisions that lead forward."""
    numbers = {step.id: step.number for step in steps}
    for step in steps:
        if numbers[step.id] != step.number:
            nodes[step.number].problem(f"id '{step.id}' is also that of step {numbers[step.id]}")
        for option, target in step.work.options.items() if isinstance(step.work, Decision) else ():
            if target in (GO_ON, STOP, END):
                continue
            if target not in numbers:
                nodes[step.number].problem(f"option '{option}': {unknown('step', target, numbers)}")
            elif numbers[target] <= step.number:
                nodes[step.number].problem(f"option '{option}' leads back to step {numbers[target]}")
