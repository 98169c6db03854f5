"""Label and field selectors: parse the query's text once, then match many objects.

Grammar and messages as recorded in topic 03. Fields that may be selected are listed by kind; every
other one is an error, never an empty answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stormlab.api.custom.kind import CustomKind
from stormlab.api.jsontree import at
from stormlab.api.kinds import EVENT, NAMESPACE, NODE, POD, REPLICA_SET, SECRET, Kind
from stormlab.api.record import Record
from stormlab.api.status import ApiError, bad_request

Labels = Mapping[str, str]
_TOKEN = re.compile(r"\s*(==|!=|=|!|>|<|\(|\)|,|[^\s=!<>(),]+)")
_SYMBOLS = {"=", "==", "!=", "!", ">", "<", "(", ")", ","}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Labels) -> bool:
        """Say whether labels meet the condition; absent keys satisfy `!=` and `notin`."""
        present = self.key in labels
        if self.operator in {"in", "notin"}:
            return (present and labels[self.key] in self.values) == (self.operator == "in")
        if self.operator in {"exists", "!"}:
            return present == (self.operator == "exists")
        try:
            value, limit = int(labels[self.key]), int(next(iter(self.values)))
        except (KeyError, ValueError):
            return False
        return value > limit if self.operator == ">" else value < limit


class _Parser:
    """Recursive descent over the tokens of a label selector."""

    def __init__(self, text: str) -> None:
        self._words = _TOKEN.findall(text)
        self._next = 0

    def peek(self) -> str:
        return self._words[self._next] if self._next < len(self._words) else ""

    def take(self) -> str:
        word = self.peek()
        self._next += 1
        return word

    def parse(self) -> tuple[Requirement, ...]:
        found: list[Requirement] = []
        while self.peek():
            found.append(self._requirement())
            if (word := self.take()) not in {",", ""}:
                raise _unparsed(word, "',' or 'end of string'")
            if word == "," and not self.peek():
                raise _unparsed("", "identifier after ','")
        return tuple(found)

    def _requirement(self) -> Requirement:
        negated = self.peek() == "!"
        if negated:
            self.take()
        key = self.take()
        if not key or key in _SYMBOLS:
            raise _unparsed(key, "'!', identifier, or 'end of string'")
        if negated:
            return Requirement(key, "!")
        operator = self.peek()
        if operator in {",", ""}:
            return Requirement(key, "exists")
        self.take()
        if operator in {"in", "notin"}:
            return Requirement(key, operator, self._set())
        if operator not in {"=", "==", "!=", ">", "<"}:
            raise _unparsed(operator, "in, notin, =, ==, !=, gt, lt")
        value = "" if self.peek() in {",", ""} else self.take()
        if operator in {">", "<"}:
            return Requirement(key, operator, frozenset({value}))
        return Requirement(key, "notin" if operator == "!=" else "in", frozenset({value}))

    def _set(self) -> frozenset[str]:
        if (word := self.take()) != "(":
            raise _unparsed(word, "'('")
        values: set[str] = set()
        while True:
            word = self.take()
            if word in {"", "("}:
                raise _unparsed(word, "',', ')' or identifier")
            if word == ")":
                return frozenset(values or {""})
            if word != ",":
                values.add(word)


def _unparsed(found: str, expected: str) -> ApiError:
    return bad_request(f"unable to parse requirement: found '{found}', expected: {expected}")


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """Parse `a=b,c in (d,e),!f`; raises ApiError 400."""
    return _Parser(text).parse()


def from_object(selector: Mapping[str, Any] | None) -> tuple[Requirement, ...]:
    """Translate a LabelSelector object (matchLabels, matchExpressions)."""
    found = [
        Requirement(key, "in", frozenset({value}))
        for key, value in at(selector, "matchLabels", default={}).items()
    ]
    operators = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}
    for item in at(selector, "matchExpressions", default=[]):
        operator = operators.get(item.get("operator", ""), "in")
        found.append(Requirement(item["key"], operator, frozenset(item.get("values") or ())))
    return tuple(found)


def from_map(labels: Labels) -> tuple[Requirement, ...]:
    """Translate a plain map selector, as Services have."""
    return tuple(Requirement(key, "in", frozenset({value})) for key, value in labels.items())


def matches(requirements: tuple[Requirement, ...], labels: Labels) -> bool:
    """Say whether labels meet every requirement; no requirement matches everything."""
    return all(requirement.matches(labels) for requirement in requirements)


_COMMON = {"metadata.name": ("metadata", "name"), "metadata.namespace": ("metadata", "namespace")}
_FIELDS: dict[Kind, tuple[str, ...]] = {
    POD: ("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
          "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName"),
    NODE: ("spec.unschedulable",),
    NAMESPACE: ("status.phase",),
    SECRET: ("type",),
    REPLICA_SET: ("status.replicas",),
    EVENT: ("involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
            "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
            "reason", "reportingComponent", "source", "type"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """One condition on one field: equal to `value`, or not."""

    path: tuple[str, ...]
    value: str
    equal: bool

    def matches(self, tree: Mapping[str, Any]) -> bool:
        """Say whether an object meets the condition; an absent field is the empty string."""
        found = at(tree, *self.path, default="")
        shown = str(found).lower() if isinstance(found, bool) else str(found)
        # Booleans that are false are left out of stored objects.
        if shown == "" and self.value == "false":
            shown = "false"
        return (shown == self.value) == self.equal


def parse_fields(kind: Kind, text: str) -> tuple[FieldTerm, ...]:
    """Parse `spec.nodeName=a,status.phase!=Running`; raises ApiError 400 for unknown fields."""
    terms: list[FieldTerm] = []
    for part in filter(None, text.split(",")):
        match = re.fullmatch(r"([^=!]+)(!=|==|=)(.*)", part)
        if match is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        name, operator, value = match.groups()
        if name not in _COMMON and name not in _FIELDS.get(kind, ()):
            raise bad_request(_unknown_field(kind, name))
        terms.append(FieldTerm(_COMMON.get(name, tuple(name.split("."))), value, operator != "!="))
    return tuple(terms)


def _unknown_field(kind: Kind, name: str) -> str:
    if isinstance(kind, CustomKind) or (kind in _FIELDS and kind != REPLICA_SET):
        return f"field label not supported: {name}"
    return f'"{name}" is not a known field selector: only "metadata.name", "metadata.namespace"'


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects a list or watch asks for."""

    namespace: str | None = None
    labels: tuple[Requirement, ...] = ()
    fields: tuple[FieldTerm, ...] = ()

    @property
    def narrow(self) -> bool:
        """Say whether a selector was given (the namespace is not one)."""
        return bool(self.labels or self.fields)

    @property
    def test(self) -> Callable[[Record], bool]:
        """Return the predicate for records."""
        namespace, labels, fields = self.namespace, self.labels, self.fields

        def accept(record: Record) -> bool:
            return (
                (namespace is None or record.namespace == namespace)
                and (not labels or matches(labels, record.labels))
                and all(term.matches(record.tree) for term in fields)
            )

        return accept
