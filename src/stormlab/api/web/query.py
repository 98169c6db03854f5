"""Query parameters of lists and watches, parsed once and checked (topics 03, 17)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stormlab.api.kinds import Kind
from stormlab.api.selectors import Selection, parse_fields, parse_labels
from stormlab.api.status import Cause, bad_request, forbidden_field, internal, invalid, unsupported


@dataclass(frozen=True, slots=True)
class ListOptions:
    """What a list or watch asks for. `version` None means "most recent"."""

    selection: Selection
    limit: int = 0
    continue_from: str = ""
    version: int | None = None
    match: str = ""
    timeout_s: int | None = None
    bookmarks: bool = False


def truth(text: str | None) -> bool:
    """Read a boolean parameter: absent, `0` and `false` are false, anything else is true."""
    return text is not None and text.lower() not in {"0", "false", "f"}


def _number(text: str) -> int | None:
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def _options_causes(query: Mapping[str, str], *, watch: bool) -> list[Cause]:
    match, version = query.get("resourceVersionMatch", ""), query.get("resourceVersion", "")
    causes: list[Cause] = []
    if watch and "sendInitialEvents" in query:
        why = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
        return [forbidden_field("sendInitialEvents", why)]
    if watch and match:
        why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        causes.append(forbidden_field("resourceVersionMatch", why))
        if match != "NotOlderThan":
            causes.append(unsupported("resourceVersionMatch", match, ("NotOlderThan",)))
        return causes
    if match and not version:
        why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        causes.append(forbidden_field("resourceVersionMatch", why))
    elif match and query.get("continue"):
        why = "resourceVersionMatch is forbidden when continue is provided"
        causes.append(forbidden_field("resourceVersionMatch", why))
    elif match and match not in {"Exact", "NotOlderThan"}:
        causes.append(unsupported("resourceVersionMatch", match, ("Exact", "NotOlderThan", "")))
    elif match == "Exact" and version == "0":
        why = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        causes.append(forbidden_field("resourceVersionMatch", why))
    return causes


def parse_version(text: str) -> int | None:
    """Read a resourceVersion; ApiError 500 for what is not a number."""
    if not text:
        return None
    if not text.isdigit():
        why = f'strconv.ParseUint: parsing "{text}": invalid syntax'
        raise internal(f'resourceVersion: Invalid value: "{text}": {why}')
    return int(text)


def parse(kind: Kind, namespace: str | None, query: Mapping[str, str], *, watch: bool) -> ListOptions:
    """Parse and check; ApiError 400, 422 or 500."""
    timeout_s, limit = _number(query.get("timeoutSeconds", "")), _number(query.get("limit", ""))
    labels = parse_labels(query.get("labelSelector", ""))
    fields = parse_fields(kind, query.get("fieldSelector", ""))
    if causes := _options_causes(query, watch=watch):
        raise invalid("meta.k8s.io", "ListOptions", "", causes)
    version_text, continue_from = query.get("resourceVersion", ""), query.get("continue", "")
    if continue_from and version_text not in {"", "0"} and not watch:
        raise bad_request("specifying resource version is not allowed when using continue")
    return ListOptions(
        Selection(namespace, labels, fields),
        limit=max(limit or 0, 0),
        continue_from="" if watch else continue_from,
        version=parse_version(version_text),
        match=query.get("resourceVersionMatch", ""),
        timeout_s=timeout_s,
        bookmarks=truth(query.get("allowWatchBookmarks")),
    )
