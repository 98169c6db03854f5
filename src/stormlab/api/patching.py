"""PATCH: apply one of three patch types to an object and decode the result (topic 06)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stormlab.api import patch, strategic
from stormlab.api.decoding import Decoded, parse_json, strict_problems
from stormlab.api.jsontree import Tree, encode
from stormlab.api.schema import DecodeError
from stormlab.api.status import ApiError, bad_request, internal, invalid_patch, not_implemented, rejected

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
_CUSTOM_MEDIA = (
    "the body of the request was in an unknown format - accepted media types include: "
    f"{JSON_PATCH}, {MERGE_PATCH}, {APPLY_PATCH}"
)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a patched object must be: how it is decoded, and for strategic merge its struct, if it has one."""

    struct: str
    decode: Callable[[Tree], tuple[Tree, list[str]]]


def media_type(content_type: str, shape: Shape) -> str:
    """Return a patch's media type; ApiError 415 for others, 501 for server-side apply."""
    media = content_type.partition(";")[0].strip().lower()
    if media == APPLY_PATCH:
        raise not_implemented("server-side apply is not built: use a strategic merge, merge or JSON patch")
    if not shape.struct and media not in {JSON_PATCH, MERGE_PATCH}:
        raise ApiError(415, "UnsupportedMediaType", _CUSTOM_MEDIA)
    if media not in {JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH}:
        raise ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    return media


def _read(media: str, body: bytes) -> Any:
    try:
        value, _ = parse_json(body)
    except ValueError as error:
        prefix = "" if media == STRATEGIC_PATCH else "error decoding patch: "
        raise bad_request(f"{prefix}{error}") from None
    wanted, told = (
        (list, "[]handlers.jsonPatchOp") if media == JSON_PATCH else (dict, "map[string]interface {}")
    )
    if not isinstance(value, wanted):
        found = {dict: "object", list: "array", str: "string", bool: "bool"}.get(type(value), "number")
        raise bad_request(
            f"error decoding patch: json: cannot unmarshal {found} into Go value of type {told}"
        )
    return value


def _apply(media: str, struct: str, current: Tree, value: Any) -> Tree:
    if media == JSON_PATCH:
        try:
            result = patch.json_patch(current, value)
        except patch.PatchError:
            raise rejected() from None
        if not isinstance(result, dict):
            raise rejected()
        return result
    if media == MERGE_PATCH:
        merged: Tree = patch.merge(current, value)
        return merged
    try:
        return strategic.apply(struct, current, value)
    except strategic.StrategicError as error:
        raise internal(str(error)) from None


def patched(shape: Shape, current: Tree, content_type: str, body: bytes, validation: str) -> Decoded:
    """Return `current`, a whole object of `shape`, with the patch applied and decoded again.

    ApiError 400, 415, 422 or 500 as the recorded server answers.
    """
    media = media_type(content_type, shape)
    value = _read(media, body)
    result = _apply(media, shape.struct, current, value)
    for field in ("kind", "apiVersion"):
        if result.get(field, current[field]) != current[field]:
            why = "the API version in the data ({}) does not match the expected API version ({})"
            raise bad_request(why.format(_gvk(result), _gvk(current)))
    shown = strategic.show(value) if media == STRATEGIC_PATCH else encode(result).decode()
    try:
        tree, unknown = shape.decode(result)
    except DecodeError as error:
        strategic_words = media == STRATEGIC_PATCH and error.wanted
        why = f"unrecognized type: {error.wanted}" if strategic_words else str(error)
        raise invalid_patch(shown, why) from None
    problems = strict_problems(unknown, [])
    if validation == "Strict" and problems:
        raise invalid_patch(shown, f"strict decoding error: {', '.join(problems)}")
    tree.pop("kind", None)
    tree.pop("apiVersion", None)
    tree.setdefault("metadata", {})
    return Decoded(tree, [] if validation == "Ignore" else problems)


def _gvk(tree: Tree) -> str:
    return f"{tree.get('apiVersion')}, Kind={tree.get('kind')}"
