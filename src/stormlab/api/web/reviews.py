"""Reviews: questions about oneself that are asked by POST and kept nowhere (topic 18)."""

from __future__ import annotations

from typing import Any

from stormlab.api.decoding import PROTOBUF_MAGIC, parse_json, unsupported_media_type
from stormlab.api.jsontree import Tree, at
from stormlab.api.metadata import stamp
from stormlab.api.objects import Objects
from stormlab.api.rbac import Asked
from stormlab.api.status import Cause, bad_request, invalid, method_not_allowed, no_such_resource
from stormlab.api.web.discovery import REVIEWS
from stormlab.api.web.rights import reason
from stormlab.api.web.route import Target
from stormlab.api.web.users import User


def answer(target: Target, method: str, user: User, body: bytes, objects: Objects) -> Tree:
    """Answer a review; ApiError 404 or 405 for anything but POST on its collection."""
    if REVIEWS.get(target.group, ("", ""))[0] != target.resource or target.name:
        raise no_such_resource()
    if method != "POST":
        raise method_not_allowed()
    if body.startswith(PROTOBUF_MAGIC):
        raise unsupported_media_type()
    try:
        asked, _ = parse_json(body or b"{}")
    except ValueError as error:
        raise bad_request(str(error)) from None
    head = {"kind": REVIEWS[target.group][1], "apiVersion": f"{target.group}/v1"}
    if target.resource == "selfsubjectreviews":
        info: Tree = {"username": user.name, "groups": list(user.groups)}
        if user.uid:
            info["uid"] = user.uid
        metadata = {"creationTimestamp": stamp(objects.now())}
        return {**head, "metadata": metadata, "status": {"userInfo": info}}
    return {**head, "metadata": {"creationTimestamp": None}, **_access(asked, user, objects)}


def _access(asked: Any, user: User, objects: Objects) -> Tree:
    spec = at(asked, "spec", default={})
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if (resource is None) == (path is None):
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        cause = Cause("FieldValueInvalid", "spec.resourceAttributes", f'Invalid value: "null": {why}')
        raise invalid("authorization.k8s.io", "", "", [cause])
    if path is not None:
        wanted = Asked(path.get("verb", ""), path=path.get("path", ""))
    else:
        name = resource.get("resource", "")
        if resource.get("subresource"):
            name = f"{name}/{resource['subresource']}"
        wanted = Asked(
            resource.get("verb", ""),
            resource.get("group", ""),
            name,
            resource.get("namespace") or None,
            resource.get("name", ""),
        )
    given = reason(objects.store, user, wanted)
    shown: Tree = {"allowed": given is not None}
    if given:
        shown["reason"] = given
    return {"spec": spec, "status": shown}
