"""A runbook file: Markdown in, a frozen Runbook out, or every problem with its line.

Numbered headings are steps: `## 3. Promote` stands on the paper as step 3 and runs as step 3.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import yaml

from stormdrill.content import Node, Problems, compose
from stormdrill.errors import InputError, Problem
from stormdrill.estate import Topology
from stormdrill.runbook.calls.site import Site
from stormdrill.runbook.decode import check_options, decode_step
from stormdrill.runbook.markdown import HEADER, STEP, Block, Section, split
from stormdrill.runbook.values import Runbook, Step

SCHEMA = "stormdrill.runbook/1"
_NUMBERED = re.compile(r"(\d+)[.)]\s*(.*)")


def load(path: Path, base: Path | None = None) -> Runbook:
    """Read a runbook. `base`: what file names in it are relative to, when not its own directory.

    InputError with everything wrong with it.
    """
    try:
        data = path.read_bytes()
        text = data.decode("utf-8")
    except OSError as error:
        raise InputError.at(path, 0, error.strerror or str(error)) from None
    except UnicodeDecodeError as error:
        raise InputError.at(path, data[: error.start].count(b"\n") + 1, "not UTF-8") from None
    problems = Problems(path)
    sections = split(text, problems)
    blocks = [block for section in sections for block in section.blocks]
    if not blocks:
        problems.add(0, f"not a runbook that can be run: no `yaml {HEADER}` and `yaml {STEP}` blocks")
        problems.raise_if_any()
    base = (base or path.parent).resolve()
    name, topology = _header(path, blocks, base, problems)
    steps = _steps(path, sections, problems)
    title = next((section.title for section in sections if section.level == 1), name)
    problems.raise_if_any()
    return Runbook(path, base, hashlib.sha256(data).hexdigest(), name, title, topology, tuple(steps))


def check_sites(runbook: Runbook, topology: Topology) -> None:
    """InputError with every `site:` that the topology does not have."""
    problems = [
        Problem(str(runbook.path), step.line, text)
        for step in runbook.steps
        for call in step.calls
        if isinstance(call, Site)
        for text in call.problems(topology)
    ]
    if problems:
        raise InputError(sorted(set(problems)))


def _node(path: Path, block: Block, problems: Problems) -> Node:
    """The block's tree with the file's line numbers; one that cannot be read is a problem, and absent."""
    try:
        tree: yaml.Node | None = compose(path, b"\n" * block.line + block.text.encode())
    except InputError as error:
        problems.found.update(error.problems)
        return Node(None, "", block.line, problems)
    node = Node(tree, "", block.line, problems)
    if not node.is_mapping:
        node.problem("must be a mapping (`key: value`)")
        return node.nowhere()
    return node


def _header(path: Path, blocks: list[Block], base: Path, problems: Problems) -> tuple[str, Path | None]:
    headers = [block for block in blocks if block.word == HEADER]
    if len(headers) != 1 or blocks[0] is not headers[0]:
        line = headers[-1].line if headers else 0
        problems.add(line, f"needs one `yaml {HEADER}` block (schema, name), before the first step")
    if not headers:
        return "unnamed", None
    node = _node(path, headers[0], problems)
    if not node.present:
        return "unnamed", None
    with node.fields() as fields:
        schema = fields.need("schema").text(SCHEMA)
        if schema != SCHEMA:
            fields.get("schema").problem(f"schema is '{schema}', expected '{SCHEMA}'")
        topology = fields.get("topology").maybe(lambda child: child.file(base))
        return fields.need("name").name(), topology


def _steps(path: Path, sections: list[Section], problems: Problems) -> list[Step]:
    steps: list[Step] = []
    nodes: dict[int, Node] = {}
    expected = 0
    for section in sections:
        blocks = [block for block in section.blocks if block.word == STEP]
        numbered = _NUMBERED.fullmatch(section.title)
        if numbered and not blocks:
            problems.add(
                section.line, f"a numbered heading is a step, and this one has no `yaml {STEP}` block"
            )
        for block in blocks[1:]:
            problems.add(block.line, "a second step under one heading; give it a heading of its own")
        if not blocks:
            continue
        expected += 1
        if numbered is None or int(numbered[1]) != expected:
            problems.add(section.line, f"the heading of a step begins with its number: '{expected}. ...'")
        node = _node(path, blocks[0], problems)
        if node.present:
            step = decode_step(expected, section, node)
            steps.append(step)
            nodes[step.number] = node
    if not expected:
        problems.add(0, "has no steps")
    check_options(steps, nodes)
    return steps
