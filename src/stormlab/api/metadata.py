"""metadata: what the server stamps on a new object, keeps on an update, and checks on both."""

from __future__ import annotations

import datetime as dt
import random
import re
import uuid

from stormlab.api.jsontree import Tree
from stormlab.api.rules.template import DNS_LABEL_RULE, LABEL_NAME
from stormlab.api.status import Cause, forbidden_field, invalid_value, required

SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
SUFFIX_LENGTH = 5
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_KEY_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_1035_RULE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
    "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
    "validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
    "for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_KEY_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_NAME_RULES = {
    "subdomain": (_SUBDOMAIN, 253, _SUBDOMAIN_RULE),
    "label": (LABEL_NAME, 63, DNS_LABEL_RULE),
    # Names of roles may have colons.
    "segment": (re.compile(r"(?!\.{1,2}$)[^/%]+"), 253, "may not be '.', '..', or contain '/' or '%'"),
    "label1035": (_LABEL_1035, 63, _LABEL_1035_RULE),
}
_SERVER_OWNED = (
    "name", "generateName", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp",
    "deletionTimestamp", "deletionGracePeriodSeconds",
)  # fmt: skip
_CLIENT_OWNED = ("labels", "annotations", "ownerReferences", "finalizers")
_names = random.SystemRandom()


def stamp(moment: dt.datetime) -> str:
    """Return a time as Kubernetes writes it: UTC, whole seconds."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_stamp(moment: dt.datetime) -> str:
    """Return a MicroTime."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def suffix() -> str:
    """Return the random end of a generated name."""
    return "".join(_names.choice(SUFFIX_ALPHABET) for _ in range(SUFFIX_LENGTH))


def fresh(metadata: Tree, namespace: str, moment: dt.datetime, *, generation: bool) -> Tree:
    """Return the metadata of a new object: the client's own parts, the rest stamped."""
    name = metadata.get("name") or (
        metadata["generateName"] + suffix() if metadata.get("generateName") else ""
    )
    made: Tree = {"name": name}
    if metadata.get("generateName"):
        made["generateName"] = metadata["generateName"]
    if namespace:
        made["namespace"] = namespace
    made |= {"uid": str(uuid.uuid4()), "resourceVersion": ""}
    if generation:
        made["generation"] = 1
    made["creationTimestamp"] = stamp(moment)
    return made | {key: metadata[key] for key in _CLIENT_OWNED if metadata.get(key)}


def carried(new: Tree, old: Tree) -> Tree:
    """Return an update's metadata: the server's parts from `old`, the client's from `new`."""
    kept = {key: old[key] for key in _SERVER_OWNED if key in old}
    return kept | {key: new[key] for key in _CLIENT_OWNED if new.get(key)}


def validate_name(metadata: Tree, pattern: str) -> list[Cause]:
    """Return what is wrong with a new object's name."""
    name = metadata.get("name", "")
    if not name:
        return [required("metadata.name", "name or generateName is required")]
    rule, longest, text = _NAME_RULES[pattern]
    causes = []
    if len(name) > longest:
        causes.append(invalid_value("metadata.name", name, f"must be no more than {longest} characters"))
    if not rule.fullmatch(name):
        causes.append(invalid_value("metadata.name", name, text))
    return causes


def validate_labels(metadata: Tree) -> list[Cause]:
    """Return what is wrong with labels."""
    causes = []
    for value in metadata.get("labels", {}).values():
        if len(value) > 63:
            causes.append(invalid_value("metadata.labels", value, "must be no more than 63 characters"))
        elif not _LABEL_VALUE.fullmatch(value):
            causes.append(invalid_value("metadata.labels", value, _VALUE_RULE))
    causes.extend(
        invalid_value("metadata.labels", key, _KEY_RULE)
        for key in metadata.get("labels", {})
        if not _KEY_NAME.fullmatch(key.rsplit("/", 1)[-1])
    )
    return causes


def validate_finalizers(new: Tree, old: Tree) -> list[Cause]:
    """Refuse new finalizers on an object that is being deleted."""
    if "deletionTimestamp" not in old:
        return []
    added = [name for name in new.get("finalizers", ()) if name not in old.get("finalizers", ())]
    if not added:
        return []
    shown = ", ".join(f'"{name}"' for name in added)
    why = (
        "no new finalizers can be added if the object is being deleted, "
        f"found new finalizers []string{{{shown}}}"
    )
    # Checked twice by real servers, and so twice among the causes.
    return [forbidden_field("metadata.finalizers", why)] * 2
