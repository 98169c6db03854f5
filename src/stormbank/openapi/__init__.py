"""The phones' API as an OpenAPI document: from the table of operations, a shape for each, and the tree of problems."""

from __future__ import annotations

import functools
import json

from aiohttp import web

__all__ = ["page", "text"]


@functools.cache
def text() -> str:
    """Return the document as JSON, the same every time."""
    # Not every process shows it: what it takes is loaded when somebody asks.
    from stormbank.openapi.document import document  # noqa: PLC0415

    return json.dumps(document(), indent=1) + "\n"


async def page() -> web.Response:
    """Answer with the document."""
    return web.Response(body=text().encode(), content_type="application/json")
