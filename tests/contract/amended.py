"""Recordings that are replayed otherwise than recorded, and what was taken out of them."""

from __future__ import annotations

import copy
from typing import Any

from .replay import Calls

_RULES = "x-kubernetes-validations"
_UNCHECKED = "<nil>"
# Calls of topic 16.
_BY_RULE = 13
_WATCH = 7
_LABELS = 23
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
    causes.sort(key=lambda cause: (cause["reason"] == "FieldValueRequired", cause["field"]))
    body["details"]["causes"] = causes
    told = [f"{cause['field']}: {cause['message']}" for cause in causes]
    head = body["message"].partition(" is invalid: ")[0]
    body["message"] = f"{head} is invalid: " + (told[0] if len(told) == 1 else f"[{', '.join(told)}]")
    return body


def without_rules(calls: Calls) -> Calls:
    """Topic 16 as it were without CEL rules, which are not built: a definition with one is refused (501).

    A server that has rules to check says so beside other causes; the order of causes is that of a Go map.
    A status patch of labels, which are dropped, is a write for a real server, because it notes who managed
    what when: here it is none.
    """
    calls = [_without_rules(call) for call in calls if call["id"] != _BY_RULE]
    for call in calls:
        response = call["response"]
        body = response.get("body")
        if isinstance(body, dict) and body.get("code") == 422:
            response["body"] = _ordered(body)
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
