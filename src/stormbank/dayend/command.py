"""Ending a business day by hand: `python -m stormbank day-end`, in a batch process's pod and with its settings."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys

from prometheus_client import CollectorRegistry

from stormbank.background import beside
from stormbank.batch import day_ends, opened, runner_of
from stormbank.db.dayend import DayEnd, WrongDayError
from stormbank.metrics import DayEndMetrics
from stormbank.settings.batch import BatchSettings


async def end_day(settings: BatchSettings, cell: str, date: dt.date, timeout_s: float) -> DayEnd | None:
    """End the business day `date` of `cell` and pay everybody's interest; None when that takes longer.

    WrongDayError for a day that cannot end now. What was begun, a batch process finishes.
    """
    books = opened(settings, cell)
    ends = day_ends(settings, books)
    runner = runner_of(settings, books, ends, DayEndMetrics(CollectorRegistry()))
    async with beside(lambda: None, {"the search for the primary": books.watch()}):
        return await runner.run(date, timeout_s)


async def command(settings: BatchSettings, arguments: argparse.Namespace) -> int:
    """Do it and print the day-end as JSON; 0 done, 1 the day cannot end now, 2 no such cell, 3 not done in time."""
    cell = arguments.cell or next(iter(settings.databases))
    if cell not in settings.databases:
        print(f"stormbank day-end: {cell!r} is not among {', '.join(settings.databases)}", file=sys.stderr)
        return 2
    try:
        done = await end_day(settings, cell, arguments.date, arguments.timeout)
    except WrongDayError as error:
        print(f"stormbank day-end: {error}", file=sys.stderr)
        return 1
    if done is None:
        print(
            f"stormbank day-end: not done within {arguments.timeout:g} s; what is paid is paid",
            file=sys.stderr,
        )
        return 3
    print(json.dumps({"cell": cell, **done.fields()}))
    return 0
