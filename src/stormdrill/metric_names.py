"""Our names for the estate's metrics: `$admission_limit` in a query stands for what the topology says it is.

So one experiment serves every estate. A query that needs a metric which an estate does not have is left
out of the plan, with a note, instead of looking for samples that can never come.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from stormdrill.content.problems import unknown
from stormdrill.errors import Problem
from stormdrill.scenario import Assertion, Experiment, GuardRule

METRICS = {
    "admission_highwater": "most in flight at admission since the scrape before, or in the last seconds, by pod",
    "admission_limit": "the limit on requests in flight, by pod",
    "shed_by_tier": "counter of requests refused for overload, by pod and tier",
    "admitted_by_tier": "counter of requests admitted, by pod and tier",
    "good_by_operation": "counter of requests answered correctly, by operation",
}
"""What `metrics:` of a topology may map to PromQL over the estate's own names."""

_NAME = re.compile(r"\$([a-zA-Z_]\w*)")


def problems(experiment: Experiment) -> Iterable[Problem]:
    """Names after a `$` that are none of ours, at their query."""
    places = [(f"assertions[{i}]", one.query) for i, one in enumerate(experiment.assertions)]
    places += [(f"guard[{i}]", rule.query or "") for i, rule in enumerate(experiment.guard)]
    for place, query in places:
        for name in sorted(set(_NAME.findall(query)) - set(METRICS)):
            line = experiment.lines.get(place, 0)
            yield Problem(str(experiment.path), line, f"{place}.query: {unknown('metric', name, METRICS)}")


def bind(experiment: Experiment, metrics: Mapping[str, str]) -> tuple[Experiment, tuple[str, ...]]:
    """The experiment with the estate's metrics in its queries, and a note for each query left out."""
    notes: list[str] = []
    assertions: list[Assertion] = []
    guard: list[GuardRule] = []
    for assertion in experiment.assertions:
        if lacking := _lacking(assertion.query, metrics):
            notes.append(_note("assertion", assertion.id, lacking))
        else:
            assertions.append(replace(assertion, query=_filled(assertion.query, metrics)))
    for rule in experiment.guard:
        if rule.query is not None and (lacking := _lacking(rule.query, metrics)):
            notes.append(_note("guard", rule.id, lacking))
        else:
            query = None if rule.query is None else _filled(rule.query, metrics)
            guard.append(replace(rule, query=query))
    return replace(experiment, assertions=tuple(assertions), guard=tuple(guard)), tuple(notes)


def _lacking(query: str, metrics: Mapping[str, str]) -> list[str]:
    return sorted(set(_NAME.findall(query)) - set(metrics))


def _filled(query: str, metrics: Mapping[str, str]) -> str:
    return _NAME.sub(lambda match: f"({metrics[match[1]]})", query)


def _note(what: str, identity: str, lacking: list[str]) -> str:
    return f"{what} {identity} not exercised: the topology maps no metric {', '.join(lacking)}"
