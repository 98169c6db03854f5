"""The experiment file: a Chaos Toolkit experiment whose extension `stormdrill` holds our settings.

The file stays valid for `chaos validate`; here it is read more strictly: only our actions and probes, known
arguments, and no key that nobody reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from stormdrill.activities import ACTIONS, ACTIONS_MODULE, CONTROLS_MODULE, PROBES, PROBES_MODULE
from stormdrill.content import Fields, Node, open_document
from stormdrill.content.problems import unknown
from stormdrill.experiment_extension import SCHEMA, Activities, decode_extension
from stormdrill.scenario import Activity, ActivityKind, Experiment

_PASSED_OVER = ("version", "tags", "contributions", "description", "runtime", "configuration", "secrets")
_TABLES = {ActivityKind.ACTION: ACTIONS, ActivityKind.PROBE: PROBES}
_MODULES = {ActivityKind.ACTION: ACTIONS_MODULE, ActivityKind.PROBE: PROBES_MODULE}


def load(path: Path) -> Experiment:
    """Read an experiment. InputError with every problem of this file; files it names are read by `plan`."""
    document = open_document(path)
    with document.root.fields() as top:
        for name in _PASSED_OVER:
            top.get(name)
        top.need("description").text()
        extension = _extension(top)
        _controls(top)
        activities = Activities(
            title=top.need("title").text(),
            hypothesis=_hypothesis(top.get("steady-state-hypothesis")),
            method=_method(top.need("method")),
            rollbacks=_activities(top.get("rollbacks")),
        )
    experiment = decode_extension(extension, path, document.sha256, activities)
    document.problems.raise_if_any()
    return experiment


def _extension(top: Fields) -> Node:
    """Our extension; an absent node, reported, when there is none."""
    ours: Node | None = None
    for element in top.need("extensions").elements():
        name = dict(element.items()).get("name")
        if name is None:
            element.problem("'name' is missing")
        elif name.text() == "stormdrill":
            if ours is not None:
                element.problem("a second extension called stormdrill")
            ours = element
    if ours is None:
        top.get("extensions").problem(
            f"no extension called stormdrill (`- name: stormdrill`, `schema: {SCHEMA}`)"
        )
    return ours or top.get("extensions").nowhere()


def _controls(top: Fields) -> None:
    """Our control must be there, or `chaos run` would inject without supervisor, guard or record."""
    modules = []
    for element in top.need("controls").elements():
        with element.fields() as fields:
            fields.need("name").text()
            fields.get("automatic").boolean(default=True)
            with fields.need("provider").fields() as provider:
                provider.need("type").choice(["python"], "python")
                modules.append(provider.need("module").text())
                provider.get("arguments")
    if top.get("controls").present and CONTROLS_MODULE not in modules:
        top.get("controls").problem(f"the control {CONTROLS_MODULE} is missing")


def _hypothesis(node: Node) -> tuple[Activity, ...]:
    with node.fields() as fields:
        fields.need("title").text("-")
        activities = _activities(fields.need("probes"), tolerance=True)
    for activity, element in zip(activities, fields.get("probes").elements(), strict=False):
        if activity.kind is not ActivityKind.PROBE:
            element.problem("a hypothesis holds probes only")
    return activities


def _method(node: Node) -> tuple[Activity, ...]:
    activities = _activities(node)
    if node.present and not any(activity.kind is ActivityKind.ACTION for activity in activities):
        node.problem("has no action: nothing would be tested")
    return activities


def _activities(node: Node, *, tolerance: bool = False) -> tuple[Activity, ...]:
    return tuple(_activity(element, tolerance=tolerance) for element in node.elements())


def _activity(node: Node, *, tolerance: bool) -> Activity:
    with node.fields() as fields:
        name = fields.need("name").text("unnamed")
        kind = ActivityKind(fields.need("type").choice([*ActivityKind], ActivityKind.ACTION))
        (fields.need if tolerance else fields.get)("tolerance")
        with fields.get("pauses").fields() as pauses:
            pauses.get("before").number(low=0)
            pauses.get("after").number(low=0)
        function, arguments = _provider(fields.need("provider"), kind)
        for message in _misuse(kind, function, arguments):
            node.problem(message if function not in _TABLES[kind] else f"{name}: {message}")
        return Activity(name, kind, function, arguments, node.line)


def _misuse(kind: ActivityKind, function: str, given: Mapping[str, object]) -> Iterable[str]:
    """What is wrong with a call whatever the estate: the function, the names of its arguments."""
    signature = _TABLES[kind].get(function)
    if signature is None:
        yield unknown(str(kind), function, _TABLES[kind])
        return
    for name in given.keys() - signature.arguments.keys():
        yield unknown(f"argument of {function}", name, signature.arguments)
    for name, argument in signature.arguments.items():
        if argument.required and name not in given:
            yield f"argument '{name}' of {function} is missing"
    for group in signature.exclusive:
        if sum(name in given for name in group) > 1:
            yield f"give only one of {', '.join(group)}"


def _provider(node: Node, kind: ActivityKind) -> tuple[str, dict[str, object]]:
    with node.fields() as fields:
        fields.need("type").choice(["python"], "python")
        module = fields.need("module")
        if module.text() and module.text() != _MODULES[kind]:
            module.problem(f"{unknown('module', module.text(), [_MODULES[kind]])} of a {kind}")
        function = fields.need("func").text("-")
        arguments = fields.get("arguments")
        arguments.items()  # reports what is not a mapping, or given twice
        plain = arguments.plain()
        return function, plain if isinstance(plain, dict) else {}
