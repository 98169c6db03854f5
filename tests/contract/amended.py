"""Recordings that are replayed otherwise than recorded, and what was taken out of them: listed in differences.yaml."""

from __future__ import annotations

import copy
from typing import Any

from .replay import Calls

_UNCHECKED = "<nil>"
_RULES = "x-kubernetes-validations"
# Calls of topic 16.
_WATCH = 7
_LABELS = 23
_SEVERAL = (11, 12)
# Of topic 18: a list that is allowed, and a watch that is not.
_LIST, _WATCHED = 11, 25


def _without_rules(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_rules(item) for key, item in value.items() if key != _RULES}
    return [_without_rules(item) for item in value] if isinstance(value, list) else value


def _ordered(body: dict[str, Any]) -> dict[str, Any]:
    """A Status whose causes stand in the order of their names, missing ones last, and say nothing of rules."""
    body = copy.deepcopy(body)
    causes = [cause for cause in body["details"]["causes"] if cause["field"] != _UNCHECKED]
    body["details"]["causes"] = causes
    causes.sort(key=lambda cause: (cause["reason"] == "FieldValueRequired", cause["field"]))
    told = [f"{cause['field']}: {cause['message']}" for cause in causes]
    head = body["message"].partition(" is invalid: ")[0]
    body["message"] = f"{head} is invalid: [{', '.join(told)}]"
    return body


def without_rules(calls: Calls) -> Calls:
    """Topic 16 as it were without CEL rules: a definition with one is refused (501)."""
    calls = [_without_rules(call) for call in calls]
    for call in calls:
        response = call["response"]
        if call["id"] in _SEVERAL:
            response["body"] = _ordered(response["body"])
        if call["id"] == _WATCH:
            response["events"] = [item for item in response["events"] if item["after"] != _LABELS]
            # It ends when the definition goes; test_custom_resources.py sees that it does.
            response["end"] = "closed by client"
    return calls


def by_agent(calls: Calls) -> Calls:
    """Topic 18: the recording says who made one of its calls in the note only."""
    who = next(call["as"] for call in calls if call["id"] == _LIST)
    return [{**call, "as": who} if call["id"] == _WATCHED else call for call in calls]


TOPICS: dict[str, dict[str, Any]] = {"16": {"amend": without_rules}, "18": {"amend": by_agent}}
