"""Comparing both books by hand: `python -m stormbank reconcile`, in a batch process's pod and with its settings."""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

from stormbank.background import beside
from stormbank.batch import opened, party_of, reconciler_of
from stormbank.clearing.report import Report
from stormbank.clearing.watch import TROUBLE
from stormbank.settings.batch import BatchSettings
from stormbank.wait import pause

AGAIN_S: Final = 0.2


async def command(settings: BatchSettings, arguments: argparse.Namespace) -> int:
    """Compare until both books agree or the time is over, and print the last comparison as JSON.

    0 they agree, 1 they do not, 2 bad input, 3 they could not be compared.
    """
    cell = arguments.cell or next(iter(settings.databases))
    if cell not in settings.databases or settings.clearing_url is None:
        why = "BANK_CLEARING_URL is not set"
        if cell not in settings.databases:
            why = f"{cell!r} is not among {', '.join(settings.databases)}"
        print(f"stormbank reconcile: {why}", file=sys.stderr)
        return 2
    began_s = time.monotonic()
    report, trouble = await _until_agreed(
        settings, cell, arguments.date.isoformat(), began_s + arguments.timeout
    )
    if report is None:
        print(f"stormbank reconcile: the books were not compared: {trouble}", file=sys.stderr)
        return 3
    print(json.dumps({**report.fields(), "seconds": round(time.monotonic() - began_s, 3)}))
    return 1 if report.items else 0


async def _until_agreed(
    settings: BatchSettings, cell: str, day: str, until_s: float
) -> tuple[Report | None, Exception | None]:
    """Return the last comparison, with what all of them settled; None and why where the last was not possible."""
    books = opened(settings, cell)
    report: Report | None = None
    trouble: Exception | None = None
    async with AsyncExitStack() as stack:
        party = await stack.enter_async_context(party_of(settings))
        await stack.enter_async_context(beside(lambda: None, {"the search for the primary": books.watch()}))
        reconciler = reconciler_of(books, party)
        settled = 0
        while report is None or report.items:
            try:
                found, trouble = await reconciler.compare(day), None
                settled += found.settled
                report = replace(found, settled=settled)
            except TROUBLE as why:
                report, trouble = None, why
            if time.monotonic() + AGAIN_S > until_s:
                break
            await pause(0.0 if report is not None and not report.items else AGAIN_S)
    return report, trouble
