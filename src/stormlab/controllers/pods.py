"""Pods as controllers see them: made from a template, alive, ready, available."""

from __future__ import annotations

import datetime as dt
import hashlib

from stormlab.api.jsontree import Tree, at, copy, encode
from stormlab.api.metadata import SUFFIX_ALPHABET
from stormlab.api.record import Record
from stormlab.controllers.owners import reference

_HASH_LENGTH = 10


def template_hash(template: Tree) -> str:
    """Return a short name for a template's content, of characters that make no words."""
    number = int.from_bytes(hashlib.sha256(encode(_sorted(template))).digest()[:8], "big")
    text = ""
    for _ in range(_HASH_LENGTH):
        number, digit = divmod(number, len(SUFFIX_ALPHABET))
        text += SUFFIX_ALPHABET[digit]
    return text


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def from_template(owner: Record, template: Tree, *, labels: dict[str, str] | None = None) -> Tree:
    """Return a new pod's tree, controlled by `owner`, named by the server unless the caller names it."""
    spec: Tree = copy(template.get("spec", {}))
    given = template.get("metadata", {})
    metadata: Tree = {
        "generateName": f"{owner.name}-",
        "labels": {**given.get("labels", {}), **(labels or {})},
        "ownerReferences": [reference(owner)],
    }
    for field in ("annotations", "finalizers"):
        if given.get(field):
            metadata[field] = copy(given[field])
    return {"metadata": metadata, "spec": spec}


def ended(pod: Record) -> bool:
    """Say whether all containers are done for good."""
    return at(pod.tree, "status", "phase") in {"Succeeded", "Failed"}


def active(pod: Record) -> bool:
    """Say whether a pod counts as a replica: neither ended nor terminating."""
    return not pod.deleting and not ended(pod)


def condition(pod: Record, name: str) -> Tree | None:
    """Return a condition by type."""
    listed: list[Tree] = at(pod.tree, "status", "conditions", default=[])
    return next((item for item in listed if item.get("type") == name), None)


def ready(pod: Record) -> bool:
    """Say whether the Ready condition is true."""
    found = condition(pod, "Ready")
    return found is not None and found.get("status") == "True"


def available_in_s(pod: Record, min_ready_s: int, now: dt.datetime) -> float | None:
    """Return in how many seconds a pod becomes available: 0 when it is, None when it is not ready."""
    if not ready(pod):
        return None
    if not min_ready_s:
        return 0.0
    since = at(condition(pod, "Ready"), "lastTransitionTime")
    if not since:
        return float(min_ready_s)
    age_s = (now - dt.datetime.fromisoformat(since)).total_seconds()
    return max(min_ready_s - age_s, 0.0)
