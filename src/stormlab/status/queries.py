"""The rows of `lab.status`: what the lab's Prometheus answers now, asked from the outside of all sites."""

from __future__ import annotations

import asyncio
import math
from typing import Any
from urllib.parse import urlencode

from stormlab import outside
from stormlab.errors import LabError
from stormlab.estate import Estate
from stormlab.status.part import Part, Row
from stormlab.statusparts import StatusRow

_TIMEOUT_S = 1.5


async def rows(estate: Estate) -> Part:
    """All rows; one that could not be asked has no samples, and its trouble is told."""
    asked = estate.preset.status
    answers = await asyncio.gather(*(_ask(estate, row) for row in asked))
    found = [
        {"name": row.name, "query": row.query, "samples": samples}
        for row, (samples, _) in zip(asked, answers, strict=True)
    ]
    return Part({"rows": found}, list(dict.fromkeys(said for _, said in answers if said)))


def nothing(estate: Estate) -> Row:
    """The rows without an answer."""
    return {"rows": [{"name": row.name, "query": row.query, "samples": None} for row in estate.preset.status]}


async def _ask(estate: Estate, row: StatusRow) -> tuple[list[Row] | None, str]:
    prometheus = estate.preset.prometheus
    if prometheus is None:  # refused when the file was read
        return None, ""
    site = estate.outside
    path = f"/api/v1/query?{urlencode({'query': row.query})}"
    try:
        _, body = await outside.from_outside(site.netns, site.address, prometheus.port, path, _TIMEOUT_S)
        answer = outside.parsed(body, "Prometheus")
        if answer.get("status") != "success":
            return None, f"{row.name}: {answer.get('error', 'Prometheus does not say why it refuses')}"
        return _samples(answer["data"]), ""
    except LabError as error:
        return None, f"Prometheus: {error}"


def _samples(data: dict[str, Any]) -> list[Row]:
    """Labels and value of each series, in the order of the labels; no value where it is not a number."""
    if data["resultType"] in {"scalar", "string"}:
        return [{"labels": {}, "value": _number(data["result"][1])}]
    found = [
        {"labels": dict(sorted(entry["metric"].items())), "value": _number(entry["value"][1])}
        for entry in data["result"]
        if "value" in entry
    ]
    return sorted(found, key=lambda sample: list(sample["labels"].values()))


def _number(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None
