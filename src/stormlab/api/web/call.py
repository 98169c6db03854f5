"""One request on its way: who, what, and how an answer is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from stormlab.api.jsontree import encode
from stormlab.api.kinds import Kind
from stormlab.api.objects import Objects
from stormlab.api.record import Record
from stormlab.api.web.negotiation import JSON, Form
from stormlab.api.web.route import Target
from stormlab.api.web.users import User

_PART_BYTES = 256 * 1024


@dataclass(slots=True)
class Call:
    """An authenticated and authorized request for a served resource."""

    request: web.Request
    user: User
    target: Target
    kind: Kind
    verb: str
    form: Form
    objects: Objects
    warnings: list[str] = field(default_factory=list)

    @property
    def query(self) -> Mapping[str, str]:
        """Return the query parameters."""
        return self.request.query

    @property
    def namespace(self) -> str:
        """Return the namespace of the path, empty at cluster scope."""
        return self.target.namespace or ""

    @property
    def dry_run(self) -> bool:
        """Say whether nothing may be written."""
        return bool(self.request.query.getall("dryRun", []))

    @property
    def content_type(self) -> str:
        """Return the body's content type, empty when the client named none."""
        return self.request.headers.get("Content-Type", "")

    @property
    def validation(self) -> str:
        """Return the fieldValidation parameter."""
        return self.request.query.get("fieldValidation", "")

    def answer(self, body: bytes, status: int = 200) -> web.Response:
        """Return a JSON answer with the warnings gathered so far."""
        return web.Response(body=body, status=status, headers=self._headers)

    @property
    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": JSON}
        if self.warnings:
            # One header with all of them, quoted as RFC 7234 wants.
            told = [text.replace("\\", "\\\\").replace('"', '\\"') for text in self.warnings]
            headers["Warning"] = ", ".join(f'299 - "{text}"' for text in told)
        return headers

    async def answer_in_parts(self, body: bytes) -> web.StreamResponse:
        """Send a long JSON answer part by part: others have their turn meanwhile, and the client reads already."""
        if len(body) <= _PART_BYTES:
            return self.answer(body)
        response = web.StreamResponse(headers=self._headers)
        response.content_length = len(body)
        await response.prepare(self.request)
        whole = memoryview(body)
        for start in range(0, len(body), _PART_BYTES):
            await response.write(whole[start : start + _PART_BYTES])
        await response.write_eof()
        return response

    def answer_tree(self, tree: object, status: int = 200) -> web.Response:
        """Return a tree as JSON."""
        return self.answer(encode(tree) + b"\n", status)

    def answer_record(self, record: Record, status: int = 200) -> web.Response:
        """Return an object as JSON."""
        return self.answer(record.body + b"\n", status)
