"""Parts of a pod that are acts rather than fields: eviction and binding (topics 11, 12)."""

from __future__ import annotations

from aiohttp import web

from stormlab.api import removal
from stormlab.api.binding import bind
from stormlab.api.decoding import decode_body
from stormlab.api.eviction import evict
from stormlab.api.jsontree import at
from stormlab.api.status import bad_request, not_found, success
from stormlab.api.web.call import Call


async def create_part(call: Call) -> web.Response:
    """Answer POST on `pods/<name>/eviction` or `pods/<name>/binding`: 201 Status Success."""
    body = await call.request.read()
    part = call.target.subresource
    kind, version = ("Eviction", "policy/v1") if part == "eviction" else ("Binding", "v1")
    if part == "eviction" and b'"policy/v1beta1"' in body:
        # The old version of the same words, which kubectl 1.20 still speaks.
        version = "policy/v1beta1"
    tree = decode_body(kind, version, body, call.content_type, call.validation).tree
    name = call.target.name
    given = tree["metadata"].get("name", name)
    if given != name:
        raise bad_request(f"name in URL does not match name in {kind} object")
    if call.objects.get(call.kind, call.namespace, name) is None:
        raise not_found(call.kind, name)
    if part == "binding":
        bind(call.objects, call.namespace, name, at(tree, "target", "name", default=""))
        return call.answer_tree(success(None, 201), 201)
    options = tree.get("deleteOptions", {})
    preconditions = options.get("preconditions", {})
    wanted = removal.DeleteOptions(
        options.get("gracePeriodSeconds"),
        preconditions.get("uid"),
        preconditions.get("resourceVersion"),
        dry_run=call.dry_run or bool(options.get("dryRun")),
    )
    evict(call.objects, call.namespace, name, wanted)
    return call.answer_tree(success(None, 201), 201)
