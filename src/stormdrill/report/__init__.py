"""Report: a judged run as pages that people read and files that CI reads. Pure; repeat it as you like.

`render(run)` writes `report.html` (one file, no script, no request to anywhere), `report.md` and `junit.xml`
from `plan.json`, `measurements.json` and `verdict.json`.
"""

from __future__ import annotations

from pathlib import Path

from stormdrill.errors import InputError
from stormdrill.measure import load_measurements
from stormdrill.plan import Plan
from stormdrill.report.junit import junit
from stormdrill.report.pages import html, markdown
from stormdrill.report.view import view
from stormdrill.store import Run, read_json, write_bytes
from stormdrill.verdict import Verdict

__all__ = ["render"]


def render(run: Run) -> Path:
    """Write the three files; the path of the HTML page. InputError when the run was not judged."""
    plan = Plan.from_json(read_json(run.plan))
    try:
        verdict = Verdict.from_json(read_json(run.verdict))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{run.verdict}: {error!r}") from None
    shown = view(plan, load_measurements(run), verdict)
    page = run.path / "report.html"
    write_bytes(page, html(shown).encode())
    write_bytes(run.path / "report.md", markdown(shown).encode())
    write_bytes(run.path / "junit.xml", junit(verdict))
    return page
