"""Bodies of any served kind, built-in or custom: bytes or a tree to a tree in the kind's shape."""

from __future__ import annotations

from functools import partial

from stormlab.api.custom.kind import CustomKind
from stormlab.api.custom.shape import shaped
from stormlab.api.decoding import Decoded, decode_body, decode_tree, read_object, strict_problems
from stormlab.api.jsontree import Tree
from stormlab.api.kinds import Kind
from stormlab.api.patching import Shape
from stormlab.api.schema import DecodeError, decode
from stormlab.api.status import bad_request


def shape_of(kind: Kind) -> Shape:
    """Return what patches of a kind are decoded with."""
    if isinstance(kind, CustomKind):
        return Shape("", partial(shaped, kind))
    return built_in(kind.kind)


def built_in(struct: str) -> Shape:
    """Return the shape of a struct of Kubernetes' own schema."""
    return Shape(struct, partial(decode, struct))


def decode_for(kind: Kind, body: bytes, content_type: str, validation: str) -> Decoded:
    """Decode a POST or PUT body of a served kind; ApiError 400 or 415."""
    if not isinstance(kind, CustomKind):
        return decode_body(kind.kind, kind.api_version, body, content_type, validation)
    value, duplicates = read_object(kind.kind, body, content_type)
    return decode_value(kind, value, validation, duplicates)


def decode_value(kind: Kind, value: Tree, validation: str, duplicates: list[str] | None = None) -> Decoded:
    """Decode a parsed body of a served kind; ApiError 400."""
    if not isinstance(kind, CustomKind):
        return decode_tree(kind.kind, kind.api_version, value, validation, duplicates)
    for field, wanted, what in (("apiVersion", kind.api_version, "API version"), ("kind", kind.kind, "kind")):
        found = value.get(field)
        if not found:
            raise bad_request(f"Object '{field[0].upper()}{field[1:]}' is missing in the body")
        if found != wanted:
            shown = f"the {what} in the data ({found}) does not match the expected {what} ({wanted})"
            raise bad_request(shown)
    prefix = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}'
    try:
        tree, unknown = shaped(kind, value)
    except DecodeError as error:
        raise bad_request(f"{prefix}: {error}") from None
    warnings = strict_problems(unknown, duplicates or [])
    if validation == "Strict" and warnings:
        raise bad_request(f"{prefix}: strict decoding error: {', '.join(warnings)}")
    for field in ("kind", "apiVersion"):
        tree.pop(field, None)
    return Decoded(tree, [] if validation == "Ignore" else warnings)
