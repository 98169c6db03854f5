"""`junit.xml`: one test case per check and per validity rule, as CI systems read them.

fail is a failure; inconclusive is an error (the check could not be made, so the build must not be green);
not_exercised is skipped. Times are left at 0: a check takes no time of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from stormdrill.report.words import measured_text
from stormdrill.verdict import Check, Outcome, Verdict

_TAGS = {Outcome.FAIL: "failure", Outcome.INCONCLUSIVE: "error", Outcome.NOT_EXERCISED: "skipped"}


def junit(verdict: Verdict) -> bytes:
    """The file's bytes."""
    root = ET.Element("testsuites", name="stormdrill")
    for name, checks in (("checks", verdict.checks), ("validity", verdict.validity)):
        _suite(root, f"{verdict.experiment}.{name}", verdict, checks)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _suite(root: ET.Element, name: str, verdict: Verdict, checks: Iterable[Check]) -> None:
    cases = list(checks)
    count = {outcome: sum(check.verdict is outcome for check in cases) for outcome in Outcome}
    suite = ET.SubElement(
        root, "testsuite", name=name, tests=str(len(cases)), failures=str(count[Outcome.FAIL]),
        errors=str(count[Outcome.INCONCLUSIVE]), skipped=str(count[Outcome.NOT_EXERCISED]), time="0",
    )  # fmt: skip
    properties = ET.SubElement(suite, "properties")
    for key, value in (
        ("run", verdict.run),
        ("verdict", str(verdict.verdict)),
        ("aborted", str(verdict.aborted)),
    ):
        ET.SubElement(properties, "property", name=key, value=value)
    for check in cases:
        case = ET.SubElement(suite, "testcase", classname=name, name=check.id, time="0")
        if tag := _TAGS.get(check.verdict):
            told = f"measured {measured_text(check.measured)}, objective {check.limit or 'none'}"
            ET.SubElement(case, tag, message=check.why).text = told
