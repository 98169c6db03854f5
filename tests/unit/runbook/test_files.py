"""Runbook files: what is wrong with one, all at once and with lines; those that ship are right."""

import re
from pathlib import Path

import pytest

from stormdrill.errors import InputError
from stormdrill.runbook.document import load

from .pages import HEADER, action, check, decision, manual, page

ROOT = Path(__file__).parents[3]
STEP = "\n## 1. One\n\n```yaml step\nid: one\nkind: manual\n```\n"


def problems(tmp_path, text):
    path = tmp_path / "book.md"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load(path)
    found: dict[int, str] = {}
    for problem in caught.value.problems:
        found[problem.line] = f"{found.get(problem.line, '')} {problem.message}"
    return found


def test_a_runbook_reads_as_its_steps(tmp_path):
    path = tmp_path / "book.md"
    path.write_text(page(manual(), check("true"), action("true"), decision(2)), encoding="utf-8")
    book = load(path)
    assert (book.title, book.name) == ("A test", "test")
    assert [(step.number, step.title, step.kind) for step in book.steps] == [
        (1, "Step 1", "manual"),
        (2, "Step 2", "check"),
        (3, "Step 3", "action"),
        (4, "Step 4", "decision"),
    ]
    assert book.steps[0].prose == "Prose."


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("# Nothing\n", 0, "not a runbook that can be run"),
        (STEP, 0, "needs one `yaml runbook` block"),
        (HEADER, 0, "has no steps"),
        (HEADER.replace("book/1", "book/2") + STEP, 4, "expected 'stormdrill.runbook/1'"),
        (HEADER + STEP.replace("## 1.", "## 2."), 8, "begins with its number: '1. ...'"),
        (HEADER + STEP + "\n## 2. Two\n\nNo block.\n", 15, "a numbered heading is a step"),
        (HEADER + STEP.replace("manual", "manuel"), 12, "did you mean 'manual'?"),
        (HEADER + STEP.replace("yaml step", "yaml stpe"), 10, "a YAML fence in a runbook is"),
        (HEADER + STEP.replace("```yaml step", "  ```yaml step"), 10, "must stand at the margin"),
        (HEADER + STEP.removesuffix("```\n"), 10, "does not end"),
        (HEADER + STEP + "\n<!-- hidden -->\n", 15, "no HTML comments"),
        (HEADER + STEP.replace("kind: manual", "kind: [manual"), 13, "not YAML"),
        (HEADER + STEP.replace("kind: manual", "kind: manual\nwho: me"), 13, "unknown key 'who'"),
    ],
)
def test_what_is_wrong_has_its_line(tmp_path, text, line, message):
    found = problems(tmp_path, text)
    assert message in found.get(line, ""), found


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"kind": "check"}, "give exactly one of promql"),
        (check("true", http={"url": "http://x"}), "give exactly one of promql"),
        ({"kind": "check", "http": {"url": "http://x", "method": "PUT"}}, "a check only looks"),
        ({"kind": "action", "command": "true"}, "needs 'already'"),
        (
            {"kind": "action", "http": {"url": "http://x", "method": "PUT"}, "repeatable": True},
            "needs a 'proof'",
        ),
        ({"kind": "action", "http": {"url": "http://x"}, "repeatable": True}, "changes nothing"),
        (check("true", **{"for": "10s", "within": "5s"}), "shorter than 'for'"),
        (decision(default="no"), "default: unknown value"),
        (decision(go="continue", past="s0"), "unknown step 's0'"),
        (decision(go="continue", back="s1"), "leads back to step 1"),
        (manual(about={"site": "x"}), "there are none"),
        (manual(marks={"done": "fence.armd"}), "did you mean 'fence.armed'?"),
        ({"kind": "check", "sql": {"dsn": "password=x", "statements": "SELECT 1"}}, "no password here"),
        (
            {"kind": "check", "patroni": {"members": {"a": "http://x"}, "leader": "b"}},
            "not one of its members",
        ),
        ({"kind": "check", "site": {"cell": "c", "lost": "r", "do": "lead"}}, "a check only looks"),
        ({"kind": "check", "site": {"cell": "c", "lost": "r"}}, "exactly one of 'do' and 'is'"),
        (
            {"kind": "action", "repeatable": True, "site": {"cell": "c", "lost": "r", "do": "promote"}},
            "say 'why'",
        ),
        (
            {"kind": "check", "site": {"cell": "c", "lost": "r", "is": "closed", "declared": "x"}},
            "belongs to 'promote'",
        ),
    ],
)
def test_a_wrong_step_is_refused(tmp_path, step, message):
    assert any(message in text for text in problems(tmp_path, page(step)).values())


def test_the_runbook_that_ships_is_right_and_speaks_of_the_estate():
    book = load(ROOT / "runbooks" / "remote-failover.md")
    order = [step.id for step in book.steps]
    wanted = [
        "freeze",
        "city-silent",
        "decide",
        "fence",
        "fence-rests-on",
        "promote",
        "promote-on-word",
        "route",
        "payments",
        "run-there",
        "way-back",
        "back-and-closed",
        "keep-the-fork",
        "agree-to-erase",
        "rebuild",
        "switch-back",
    ]
    assert [name for name in order if name in wanted] == wanted
    stated = (ROOT / "topology" / "small.yaml").read_text(encoding="utf-8")
    ports = set(re.findall(r": (\d{5})\b", stated))
    text = book.path.read_text(encoding="utf-8")
    used = set(re.findall(r"127\.0\.0\.1:(\d+)", text)) | set(re.findall(r"port=(\d+)", text))
    assert used <= ports
    assert max(map(len, (line for step in book.steps for line in step.prose.splitlines()))) <= 120
