"""Accept headers: plain JSON, a Table, or 406 (topics 04, 08). Protobuf and YAML are not built."""

from __future__ import annotations

from typing import Literal

from stormlab.api.status import ApiError

Form = Literal["object", "table"]
JSON = "application/json"


def negotiate(accept: str) -> Form:
    """Return the form the client likes best among those served; ApiError 406."""
    wanted_other_form = False
    for part in accept.split(",") if accept.strip() else ["*/*"]:
        media, *rest = (piece.strip() for piece in part.split(";"))
        parameters = dict(piece.split("=", 1) for piece in rest if "=" in piece)
        if media.lower() not in {JSON, "application/*", "*/*"}:
            continue
        form = parameters.get("as", "")
        if form == "Table" and (parameters.get("g"), parameters.get("v")) == ("meta.k8s.io", "v1"):
            return "table"
        if not form:
            return "object"
        wanted_other_form = True
    if wanted_other_form:
        raise ApiError(406, "NotAcceptable", "only the following media types are accepted: application/json")
    told = "application/json, application/json;stream=watch"
    raise ApiError(406, "NotAcceptable", f"406: Not Acceptable\n\nAvailable representations: {told}", {})
