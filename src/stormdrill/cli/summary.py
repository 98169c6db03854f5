"""A gate's two files: JUnit for the build server, Markdown for people. One test case a drill."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

from stormdrill import store
from stormdrill.cli.ending import Ending
from stormdrill.errors import ExitCode


def write_junit(path: Path, endings: Sequence[Ending]) -> None:
    """`fail` is a failure; what came to no verdict (inconclusive, aborted, bad input) is an error."""
    failed = [ending for ending in endings if ending.exit_code == ExitCode.FAIL]
    unclear = [ending for ending in endings if ending.exit_code not in (ExitCode.PASS, ExitCode.FAIL)]
    suite = ET.Element(
        "testsuite", name="stormdrill gate", tests=str(len(endings)), failures=str(len(failed)),
        errors=str(len(unclear)), time=f"{sum(ending.seconds for ending in endings):.1f}",
    )  # fmt: skip
    for ending in endings:
        case = ET.SubElement(
            suite,
            "testcase",
            classname="stormdrill.gate",
            name=ending.experiment,
            time=f"{ending.seconds:.1f}",
        )
        if ending.exit_code != ExitCode.PASS:
            kind = "failure" if ending.exit_code == ExitCode.FAIL else "error"
            ET.SubElement(case, kind, message=ending.verdict).text = "\n".join(ending.why)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    store.write_bytes(path, ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")


def write_markdown(path: Path, endings: Sequence[Ending]) -> None:
    """The table of the drills and, below, why something is not a pass."""
    lines = [
        "# Resilience gate",
        "",
        "| experiment | verdict | recovery time | lost | report |",
        "|---|---|---|---|---|",
        *(f"| {e.experiment} | {e.verdict} | {e.recovery} | {e.lost} | {e.report} |" for e in endings),
    ]
    for ending in endings:
        if ending.why:
            lines += ["", f"**{ending.experiment}**", "", *(f"- {line}" for line in ending.why)]
    store.write_bytes(path, ("\n".join(lines) + "\n").encode())
