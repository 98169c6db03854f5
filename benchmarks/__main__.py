"""`python -m benchmarks [ID]`: measure, print a table, write `benchmarks/out/results.json`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks import api, bank, https, lab, links, load, pods, records
from benchmarks.figure import Result, exceeded, table

_OUT = Path(__file__).parent / "out" / "results.json"
_Measure = Callable[[], Iterator[Result]]
_ALL: dict[_Measure, tuple[str, ...]] = {
    records.appending: ("records.append_us",),
    records.reading: ("records.read_1m_s",),
    records.judging: ("measure.1m_s",),
    load.generating: ("load.cpu_ms_per_request", "load.lateness_p99_ms", "load.counted_in_stall"),
    api.serving: ("api.list5000_ms", "api.watch50_ms"),
    bank.serving: bank.IDS,
    https.securing: https.IDS,
    links.relaying: ("relay.delay_error_ms", "relay.throughput_mbit_s"),
    lab.living: lab.IDS,
    pods.replacing: ("pod.replace_s",),
}
"""What measures, and the figures that it measures together."""


def main() -> int:
    """0 when every limit holds, 1 when one does not, 2 for a name that is none."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("only", nargs="?", default="", help="one figure")
    only = parser.parse_args().only
    known = [name for names in _ALL.values() for name in names]
    if only and only not in known:
        print(f"no figure '{only}' (known: {', '.join(known)})", file=sys.stderr)
        return 2
    wanted = {only} if only else set(known)
    chosen = [measure for measure, names in _ALL.items() if wanted.intersection(names)]
    results = [result for measure in chosen for result in measure() if result.id in wanted]
    return report(results, _OUT)


def report(results: Sequence[Result], out: Path) -> int:
    """Print them and write them to `out`; the exit code."""
    print(table(results))
    said = {"commit": _commit(), "machine": _machine(), "results": [result.to_json() for result in results]}
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    over = exceeded(results)
    if over:
        print(f"not within their limits: {', '.join(over)}", file=sys.stderr)
    return 1 if over else 0


def _commit() -> str:
    argv = ["git", "rev-parse", "HEAD"]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()


def _machine() -> str:
    return f"{platform.system()} {platform.release()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    raise SystemExit(main())
