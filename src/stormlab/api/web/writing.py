"""POST, PUT, PATCH and DELETE on objects, status and scale."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from stormlab.api import patching, removal
from stormlab.api.bodies import built_in, decode_for, shape_of
from stormlab.api.decoding import check_options, decode_body, decode_options
from stormlab.api.jsontree import Tree
from stormlab.api.record import Record
from stormlab.api.scale import API_VERSION, scale_of, with_scale
from stormlab.api.status import ApiError, bad_request, invalid, invalid_value, not_found, unsupported
from stormlab.api.web import listing, query
from stormlab.api.web.call import Call

_PROPAGATION = ("Foreground", "Background", "Orphan")


def _check_query(call: Call, options: str) -> None:
    check_options(options, call.validation, call.request.query.getall("dryRun", []))


def _place(call: Call, tree: Tree) -> None:
    """Refuse a body that names another namespace or object than the path."""
    metadata = tree["metadata"]
    if metadata.get("namespace", call.namespace) not in {"", call.namespace}:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    name = call.target.name
    if name and metadata.get("name", name) != name:
        why = f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
        raise bad_request(why)
    if name:
        metadata["name"] = name


async def create(call: Call) -> web.Response:
    """Create an object: 201."""
    _check_query(call, "CreateOptions")
    body = await call.request.read()
    decoded = decode_for(call.kind, body, call.content_type, call.validation)
    call.warnings += decoded.warnings
    _place(call, decoded.tree)
    record = call.objects.create(call.kind, call.namespace, decoded.tree, dry_run=call.dry_run)
    return call.answer_record(record, 201)


async def update(call: Call) -> web.Response:
    """Replace an object, its status, or its scale."""
    _check_query(call, "UpdateOptions")
    body = await call.request.read()
    if call.target.subresource == "scale":
        decoded = decode_body("Scale", API_VERSION, body, call.content_type, call.validation)
        _place(call, decoded.tree)
        return _write_scale(call, decoded.tree)
    decoded = decode_for(call.kind, body, call.content_type, call.validation)
    call.warnings += decoded.warnings
    _place(call, decoded.tree)
    status, name = call.target.subresource == "status", call.target.name
    absent = call.objects.get(call.kind, call.namespace, name) is None
    if absent and call.kind.create_on_update and not status:
        record = call.objects.create(call.kind, call.namespace, decoded.tree, dry_run=call.dry_run)
        return call.answer_record(record, 201)
    record = call.objects.update(
        call.kind, call.namespace, name, decoded.tree, status=status, dry_run=call.dry_run
    )
    return call.answer_record(record)


async def patch(call: Call) -> web.Response:
    """Patch an object, its status, or its scale."""
    _check_query(call, "PatchOptions")
    body = await call.request.read()
    shape = built_in("Scale") if call.target.subresource == "scale" else shape_of(call.kind)
    patching.media_type(call.content_type, shape)
    if call.target.subresource == "scale":
        current = scale_of(_scaled(call))
        decoded = patching.patched(shape, current, call.content_type, body, call.validation)
        _place(call, decoded.tree)
        return _write_scale(call, decoded.tree)
    record = call.objects.require(call.kind, call.namespace, call.target.name)
    decoded = patching.patched(shape, record.full(), call.content_type, body, call.validation)
    call.warnings += decoded.warnings
    _place(call, decoded.tree)
    changed = call.objects.update(
        call.kind,
        call.namespace,
        call.target.name,
        decoded.tree,
        status=call.target.subresource == "status",
        patching=True,
        dry_run=call.dry_run,
    )
    return call.answer_record(changed)


def _scaled(call: Call) -> Record:
    record = call.objects.get(call.kind, call.namespace, call.target.name)
    if record is None:
        raise not_found(call.kind, call.target.name, "scale")
    return record


def _write_scale(call: Call, scale: Tree) -> web.Response:
    tree = with_scale(_scaled(call), scale)
    record = call.objects.update(call.kind, call.namespace, call.target.name, tree, dry_run=call.dry_run)
    return call.answer_tree(scale_of(record))


async def _delete_options(call: Call) -> removal.DeleteOptions:
    """Read DeleteOptions; the body wins over the query where it says something (topic 09)."""
    given = decode_options(await call.request.read())
    if "gracePeriodSeconds" not in given and "gracePeriodSeconds" in call.query:
        given["gracePeriodSeconds"] = _seconds(call.query["gracePeriodSeconds"])
    propagation = given.get("propagationPolicy") or call.query.get("propagationPolicy")
    if propagation and propagation not in _PROPAGATION:
        cause = unsupported("propagationPolicy", propagation, (*_PROPAGATION, "nil"))
        raise invalid("meta.k8s.io", "DeleteOptions", "", [cause])
    orphan: Any = given.get("orphanDependents", query.truth(call.query.get("orphanDependents")) or None)
    if orphan and propagation:
        why = "orphanDependents and deletionPropagation cannot be both set"
        cause = invalid_value("propagationPolicy", propagation, why)
        raise invalid("meta.k8s.io", "DeleteOptions", "", [cause])
    if orphan:
        propagation = "Orphan"
    dry_run = [*given.get("dryRun", ()), *call.request.query.getall("dryRun", [])]
    check_options("DeleteOptions", "", dry_run)
    preconditions = given.get("preconditions", {})
    return removal.DeleteOptions(
        given.get("gracePeriodSeconds"),
        preconditions.get("uid"),
        preconditions.get("resourceVersion"),
        propagation,
        bool(dry_run),
    )


def _seconds(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


async def delete(call: Call) -> web.Response:
    """Delete one object."""
    options = await _delete_options(call)
    removed = removal.delete(call.objects, call.kind, call.namespace, call.target.name, options)
    return call.answer_tree(removed.answer)


async def delete_collection(call: Call) -> web.Response:
    """Delete what a list would show; answers that list, as it was before."""
    options = await _delete_options(call)
    listed = query.parse(call.kind, call.target.namespace, call.query, watch=False)
    page = listing.take_page(call.objects.store, call.kind, listed)
    shown = []
    for record in page.records:
        try:
            removal.delete(call.objects, record.kind, record.namespace, record.name, options)
        except ApiError as error:
            # Somebody else was faster with this one, which is what was wanted.
            if error.code != 404:
                raise
            continue
        shown.append(record)
    return call.answer(listing.encode_page(call.kind, listing.Page(shown, page.version)))
