"""What a lab looks like now, also a broken one: everything asked at once, what does not answer told as such.

The keys of the report are documented in docs/lab.md.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from stormlab import daemons
from stormlab.client import Client
from stormlab.estate import Estate
from stormlab.inventory import Inventory
from stormlab.process import ProcessId
from stormlab.regions import clients
from stormlab.status import databases, links, queries, region
from stormlab.status.part import Part, Row, in_time

SCHEMA = "stormlab.status/1"
_THREADS = 64
"""Each waits for one answer; more than there are sites, databases and queries together."""


def gather(estate: Estate, state: Path) -> Row:
    """Everything `status --json` prints, within about a second.

    Parts that do not answer are empty or None, with a line in `troubles`.
    """
    report: Row = {
        "schema": SCHEMA,
        "name": estate.name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    report |= {"state": str(state), "topology": str(estate.source), "kubeconfig": str(state / "kubeconfig")}
    report["processes"] = list(_processes(estate, state))
    troubles = [f"{row['name']} does not run" for row in report["processes"] if not row["running"]]
    for part in asyncio.run(_parts(estate, state)):
        troubles += part.troubles
        for key, value in part.found.items():
            report[key] = [*report.get(key, []), *value] if isinstance(value, list) else value
    report["endpoints"] = {entry.name: f"127.0.0.1:{entry.listen}" for entry in estate.forwards} | {
        f"api-{one.name}": f"https://127.0.0.1:{one.api_port}" for one in estate.regions
    }
    report["notes"] = list(estate.preset.notes)
    report["troubles"] = troubles
    return report


def _processes(estate: Estate, state: Path) -> Iterator[Row]:
    wanted = daemons.wanted(estate, state)
    running = daemons.running(Inventory(state), wanted)
    for daemon in wanted:
        process = running.get(daemon.name)
        yield {
            "name": daemon.name,
            "running": process is not None,
            "pid": process.pid if process else None,
            "age_s": _age_s(process) if process else None,
        }


def _age_s(process: ProcessId) -> float:
    return round(time.clock_gettime(time.CLOCK_BOOTTIME) - process.start_ticks / os.sysconf("SC_CLK_TCK"), 1)


async def _parts(estate: Estate, state: Path) -> list[Part]:
    """The parts in the order in which their troubles are told."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS))
    asked = [
        in_time("links", links.links(estate, state), links.nothing),
        _regions(estate, state),
        in_time("rows", queries.rows(estate), partial(queries.nothing, estate)),
    ]
    carried, inside, rows = await asyncio.gather(*asked)
    return [carried, inside, rows]


async def _regions(estate: Estate, state: Path) -> Part:
    try:
        async with clients(estate, state) as by_region:
            parts = await _asked_of_apis(estate, by_region)
    except OSError as error:
        parts = [Part(region.nothing(one)) for one in estate.regions]
        parts += [Part(databases.nothing(), [f"no trust yet: {error}"])]
    whole = Part()
    for part in parts:
        whole.troubles += part.troubles
        for key, value in part.found.items():
            whole.found[key] = [*whole.found.get(key, []), *value]
    return whole


async def _asked_of_apis(estate: Estate, by_region: dict[str, Client]) -> list[Part]:
    watch = estate.preset.watch
    regions = [
        in_time(one.name, region.region(one, by_region[one.name], watch), partial(region.nothing, one))
        for one in estate.regions
    ]
    members = [
        in_time(
            f"{part.region}: databases",
            databases.databases(estate, by_region[part.region], part),
            databases.nothing,
        )
        for part in databases.asked(estate)
    ]
    return [Part(databases.nothing()), *await asyncio.gather(*regions, *members)]
