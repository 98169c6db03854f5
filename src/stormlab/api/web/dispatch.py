"""From a request to its answer: authenticate, authorize, find the resource and verb, call it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from stormlab.api.catalog import Catalog
from stormlab.api.decoding import MAX_BODY_BYTES
from stormlab.api.jsontree import encode
from stormlab.api.objects import Objects
from stormlab.api.status import ApiError, method_not_allowed, no_such_resource
from stormlab.api.web import discovery, parts, query, reading, reviews, writing
from stormlab.api.web.call import Call
from stormlab.api.web.impersonation import acting
from stormlab.api.web.negotiation import JSON, negotiate
from stormlab.api.web.rights import authorize, authorize_path
from stormlab.api.web.route import Target, parse, require_kind, require_verb
from stormlab.api.web.users import User, authenticate

_LOG = logging.getLogger("stormlab.api")
_HEALTH = ("/healthz", "/livez", "/readyz")
PodPart = Callable[[Call], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Handles every request. `pod_parts` answers `log` and `exec`; `address` is told in `/api`."""

    objects: Objects
    tokens: Mapping[str, User]
    account: Callable[[str], User | None]
    pod_parts: Mapping[str, PodPart]
    address: str

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request; every failure is a Status."""
        try:
            return await self._answer(request)
        except ApiError as error:
            return _failure(error)
        except web.HTTPRequestEntityTooLarge:
            message = f"Request entity too large: limit is {MAX_BODY_BYTES}"
            return _failure(ApiError(413, "RequestEntityTooLarge", message))
        except ConnectionError:
            raise
        except Exception:  # noqa: BLE001 -- the server outlives a bug in one request; it is logged
            _LOG.exception("%s %s failed", request.method, request.path)
            return _failure(
                ApiError(500, "InternalError", "Internal error occurred: see the API server's log")
            )

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        user = authenticate(request.headers.get("Authorization", ""), self.tokens, self.account)
        user = acting(self.objects.store, user, request)
        target = parse(request.path)
        if target is None:
            authorize_path(self.objects.store, user, request.path, request.method)
            return self._other_path(request)
        watch = query.truth(request.query.get("watch"))
        verb = target.verb(request.method, watch=watch)
        name = target.name or _selected_name(request.query.get("fieldSelector", ""))
        authorize(self.objects.store, user, target, verb, name)
        if target.group in discovery.REVIEWS:
            body = await request.read()
            shown = reviews.answer(target, request.method, user, body, self.objects)
            return web.Response(body=encode(shown), status=201, content_type=JSON)
        catalog = self.objects.store.catalog
        if target.group not in catalog.groups:
            return _plain_not_found()
        kind = require_kind(target, catalog)
        require_verb(target, kind, verb)
        streams = target.subresource in self.pod_parts
        form = "object" if streams else negotiate(request.headers.get("Accept", ""))
        call = Call(request, user, target, kind, verb, form, self.objects)
        return await self._verb(call, target, verb)

    async def _verb(self, call: Call, target: Target, verb: str) -> web.StreamResponse:
        if (part := self.pod_parts.get(target.subresource)) is not None:
            return await part(call)
        if verb in {"list", "watch"}:
            return await reading.list_or_watch(call, watch=verb == "watch")
        if verb == "create" and target.subresource:
            return await parts.create_part(call)
        return await _VERBS[verb](call)

    def _other_path(self, request: web.Request) -> web.Response:
        path, steps = request.path, [step for step in request.path.split("/") if step]
        if path.startswith(_HEALTH):
            return web.Response(text="ok", headers={"Content-Type": "text/plain; charset=utf-8"})
        if steps in (["api"], ["apis"]):
            return self._groups(request, core=steps == ["api"])
        shown = _described(steps, self.objects.store.catalog)
        if shown is None:
            return _plain_not_found()
        if request.method != "GET":
            raise method_not_allowed()
        return web.Response(body=encode(shown), content_type=JSON)

    def _groups(self, request: web.Request, *, core: bool) -> web.Response:
        if request.method != "GET":
            raise method_not_allowed()
        if "as=APIGroupDiscoveryList" in request.headers.get("Accept", "") and "v=v2," in (
            request.headers.get("Accept", "").replace(";as=APIGroupDiscoveryList", "") + ","
        ):
            body = encode(discovery.aggregated(self.objects.store.catalog, core=core))
            return web.Response(body=body, headers={"Content-Type": discovery.AGGREGATED})
        catalog = self.objects.store.catalog
        shown = discovery.versions(self.address) if core else discovery.groups(catalog)
        return web.Response(body=encode(shown), content_type=JSON)


def _described(steps: list[str], catalog: Catalog) -> object:
    """Return what a discovery path answers, or None; ApiError 404 for a version that is not served."""
    if not steps:
        return discovery.root_paths(catalog)
    if steps == ["version"]:
        return discovery.VERSION
    if steps[0] == "api" and len(steps) == 2:
        if steps[1] != "v1":
            raise no_such_resource()
        return discovery.resources(catalog, "", "v1")
    if steps[0] == "apis" and len(steps) > 1 and steps[1] in discovery.group_names(catalog):
        if len(steps) == 2:
            return discovery.group(catalog, steps[1])
        if len(steps) > 3 or steps[2] not in discovery.versions_of(catalog, steps[1]):
            raise no_such_resource()
        return discovery.resources(catalog, steps[1], steps[2])
    return None


_VERBS: Mapping[str, PodPart] = {
    "get": reading.get,
    "create": writing.create,
    "update": writing.update,
    "patch": writing.patch,
    "delete": writing.delete,
    "deletecollection": writing.delete_collection,
}


def _selected_name(field_selector: str) -> str:
    """Return the one name a field selector asks for; rights may be given on it."""
    for part in field_selector.split(","):
        field, _, value = part.partition("=")
        if field == "metadata.name" and value:
            return value.lstrip("=")
    return ""


def _plain_not_found() -> web.Response:
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    return web.Response(text="404 page not found\n", status=404, headers=headers)


def _failure(error: ApiError) -> web.Response:
    headers = {"Content-Type": JSON}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    return web.Response(body=encode(error.body) + b"\n", status=error.code, headers=headers)
