"""The pages: offline, escaped, complete, and readable by machines."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from builder import Outage, Scene, build, golden_plan

from stormdrill.errors import InputError
from stormdrill.estate_books import NoAudit
from stormdrill.judge import judge
from stormdrill.measure import measure
from stormdrill.plan import Plan
from stormdrill.report import render
from stormdrill.store import Run

EVIL = """<script>alert(1)</script> & "quoted" | pipe"""
FAIL = Scene(
    after_s=30.0,
    outages=(Outage(0, 6.2, "login"),),
    lost=frozenset(range(1900, 1970)),
    shed={"A": 0.4, "B": 0.1, "C": 0.1},
    leader_change_s=2.0,
)


def rendered(path: Path, scene: Scene, plan: Plan | None = None) -> Run:
    run, _ = build(path / "run", scene, plan)
    measure(run)
    judge(run)
    render(run)
    return run


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    plan = golden_plan(flow_asked=True)
    plan = replace(plan, experiment=replace(plan.experiment, title=EVIL))
    return rendered(tmp_path_factory.mktemp("report"), FAIL, plan)


class Page(HTMLParser):
    """Tags, attributes that could fetch something, and balance."""

    VOID = frozenset({"meta", "br", "col", "link", "img", "input", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.fetches: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.fetches += [
            f"{tag} {name}" for name, _ in attrs if name in {"src", "href", "srcset", "data", "action"}
        ]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_fetches_nothing_and_runs_nothing(failed: Run) -> None:
    text = (failed.path / "report.html").read_text()
    page = Page(text)
    assert page.fetches == []
    assert not page.tags & {"script", "link", "img", "iframe", "object", "form"}
    assert not re.search(r"url\(|@import|https?://", text)
    assert page.open == []


def test_what_content_files_say_is_escaped(failed: Run) -> None:
    text = (failed.path / "report.html").read_text()
    assert "&lt;script&gt;alert(1)" in text
    assert EVIL in Page(text).text


def test_the_page_shows_what_an_auditor_asks_for(failed: Run) -> None:
    text = Page((failed.path / "report.html").read_text()).text
    for words in (
        "lab preset",
        "stormdrill measure",
        "recovery.login",
        "70 acknowledged movements",
        "sha256",
    ):
        assert words in text
    assert "The first 50 of 70" in text
    assert "inversions" in text


def test_the_charts_are_there_with_titles_and_units(failed: Run) -> None:
    text = (failed.path / "report.html").read_text()
    assert text.count("<svg") == 3
    for words in (
        "requests/s",
        "seconds from t0",
        "ms, log",
        "objective 5 s",
        "t0 fault",
        "deadline 2000 ms",
    ):
        assert words in text
    assert len(re.findall(r'class="hover"><title>', text)) > 100


def test_markdown_says_the_same(failed: Run) -> None:
    text = (failed.path / "report.md").read_text()
    assert text.startswith("# ✗ FAIL")
    assert "| ✗ FAIL | lost |" in text
    rows = [line for line in text.splitlines() if line.startswith(("| ✗", "| ✓"))]
    assert all(re.sub(r"\\\|", "", row).count("|") in (4, 6) for row in rows)


def test_junit_counts_each_outcome(failed: Run) -> None:
    root = ET.parse(failed.path / "junit.xml").getroot()  # noqa: S314 - our own file
    verdict = judge(failed)
    cases = [case for suite in root for case in suite if case.tag == "testcase"]
    assert len(cases) == len(verdict.checks) + len(verdict.validity)
    failures = {case.get("name") for case in cases if case.find("failure") is not None}
    assert failures == {check.id for check in verdict.checks if check.verdict == "fail"}
    assert root[0].get("failures") == str(len(failures))
    doubted = {case.get("name") for case in cases if case.find("error") is not None}
    assert "flow.rejects" in doubted


def test_what_was_not_exercised_is_skipped_in_junit(tmp_path: Path) -> None:
    plan = golden_plan()
    plan = replace(plan, topology=replace(plan.topology, audit=NoAudit("no reader for this estate")))
    run = rendered(tmp_path, Scene(after_s=12.0, books=False), plan)
    root = ET.parse(run.path / "junit.xml").getroot()  # noqa: S314 - our own file
    skipped = {case.get("name") for case in root.iter("testcase") if case.find("skipped") is not None}
    assert {"lost", "duplicated", "audit_complete"} <= skipped


def test_inconclusive_is_an_error_in_junit(tmp_path: Path) -> None:
    run = rendered(tmp_path, Scene(after_s=30.0, prometheus_gone_s=(3, 20)))
    root = ET.parse(run.path / "junit.xml").getroot()  # noqa: S314 - our own file
    errors = {case.get("name") for case in root.iter("testcase") if case.find("error") is not None}
    assert "prometheus_fresh" in errors
    assert "assert.no-gateway-error-after" in errors


def test_no_count_is_shown_of_what_the_books_cannot_show(tmp_path: Path) -> None:
    run = rendered(tmp_path, Scene(after_s=12.0, shows=("lost",)))
    text = (run.path / "report.md").read_text()
    assert "- **movements lost**: 0 (of " in text
    assert "- **booked twice**: – (not exercised)" in text  # noqa: RUF001
    page = Page((run.path / "report.html").read_text()).text
    money = page[page.index("end of a movement") : page.index("Flow control")]
    assert "lost" in money
    assert "duplicated" not in money


def test_a_run_without_fault_or_load_still_has_a_page(tmp_path: Path) -> None:
    abort = {"reason": "SIGINT", "by": "signal"}
    scene = Scene(after_s=-4.0, aborted_s=-4.0, faults_s=(), abort=abort, probes={}, sessions={})
    run = rendered(tmp_path, scene)
    text = Page((run.path / "report.html").read_text()).text
    assert "No fault was applied" in text
    assert "aborted" in text
    assert "No request was" in text


def test_rendering_is_repeatable(failed: Run) -> None:
    files = ("report.html", "report.md", "junit.xml")
    before = [(failed.path / name).read_bytes() for name in files]
    render(failed)
    assert [(failed.path / name).read_bytes() for name in files] == before


def test_a_run_that_was_not_judged_is_bad_input(tmp_path: Path) -> None:
    run, _ = build(tmp_path / "run", Scene(after_s=5.0))
    with pytest.raises(InputError, match=r"verdict\.json"):
        render(run)
