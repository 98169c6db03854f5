"""The face party: says whether an image shows the customer. `POST /compare` with `{customer, image}` answers `{match}`.

What it knows of the synthetic customer N is the string `face-N`.
"""

from __future__ import annotations

from aiohttp import web

from stormbank.external.shell import Shell
from stormbank.request import json_fields
from stormbank.service import reply
from stormbank.settings.face import FaceSettings


def matches(customer: int, image: str) -> bool:
    """Whether `image` shows `customer`."""
    return image == f"face-{customer}"


async def run(settings: FaceSettings, host: str, port: int) -> None:
    """Be the face party until told to end."""

    async def compare(request: web.BaseRequest) -> web.Response:
        fields = await json_fields(request, {"customer": int, "image": str})
        return reply(200, {"match": matches(fields["customer"], fields["image"])})

    routes = {("POST", "/compare"): compare}
    await Shell("face", routes, settings.external.trouble).run(settings.external, host, port)
