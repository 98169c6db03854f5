"""GET: one object, a list, a watch, and the parts of an object that are read."""

from __future__ import annotations

from aiohttp import web

from stormlab.api.scale import scale_of
from stormlab.api.status import not_found
from stormlab.api.web import listing, query, table, watching
from stormlab.api.web.call import Call


async def get(call: Call) -> web.Response:
    """Answer one object, as itself or as a Table."""
    target, store = call.target, call.objects.store
    await listing.wait_for_version(store, query.parse_version(call.query.get("resourceVersion", "")))
    if target.subresource == "scale":
        record = store.get(call.kind, call.namespace, target.name)
        if record is None:
            raise not_found(call.kind, target.name, "scale")
        return call.answer_tree(scale_of(record))
    record = call.objects.require(call.kind, call.namespace, target.name)
    if call.form == "table":
        version = record.tree["metadata"]["resourceVersion"]
        shown = table.table(call.kind, [record], {"resourceVersion": version}, call.objects.now(), call.query)
        return call.answer_tree(shown)
    return call.answer_record(record)


async def list_or_watch(call: Call, *, watch: bool) -> web.StreamResponse:
    """Answer a list, or open a watch."""
    store = call.objects.store
    options = query.parse(call.kind, call.target.namespace, call.query, watch=watch)
    # A path with a name under /watch/ is a watch of one object.
    if watch:
        render = watching.plain
        if call.form == "table":
            render = table.EventTables(call.kind, call.objects.now, call.query)
        opened = watching.Watch(store, call.kind, options, render)
        return await watching.stream(call.request, opened, options)
    await listing.wait_for_version(store, options.version)
    page = listing.take_page(store, call.kind, options)
    if call.form == "table":
        shown = table.table(call.kind, page.records, page.metadata, call.objects.now(), call.query)
        return call.answer_tree(shown)
    return await call.answer_in_parts(listing.encode_page(call.kind, page))
