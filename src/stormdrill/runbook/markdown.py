"""A runbook's Markdown cut into sections: a heading, the prose below it, and the fenced blocks that are ours.

Ours are fences that say `yaml step` or `yaml runbook`. Whatever could hide a step from one of the two readers,
the person with the sheet of paper or the harness, is a problem: a YAML fence that is not ours, a fence that is
not at the margin or does not end, and HTML comments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from stormdrill.content import Problems

HEADER, STEP = "runbook", "step"
_HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*\s*")
_FENCE = re.compile(r"(\s*(?:>\s*)*)(`{3,}|~{3,})\s*(.*?)\s*")


@dataclass(frozen=True)
class Block:
    """One fenced block of ours. `line` is that of the opening fence; `text` begins on the next."""

    line: int
    word: str
    text: str


@dataclass
class Section:
    """What stands under one heading (level 0: before the first)."""

    line: int
    level: int
    title: str
    lines: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)

    @property
    def prose(self) -> str:
        """The section without heading and blocks, as the file has it."""
        return "\n".join(self.lines).strip("\n")


def split(text: str, problems: Problems) -> list[Section]:
    """The sections in order; what is wrong goes to `problems`."""
    sections = [Section(1, 0, "")]
    lines = iter(enumerate(text.splitlines(), start=1))
    for number, line in lines:
        if fence := _FENCE.fullmatch(line):
            _fenced(sections[-1], number, fence, lines, problems)
        elif heading := _HEADING.fullmatch(line):
            sections.append(Section(number, len(heading[1]), heading[2]))
        else:
            if "<!--" in line:
                problems.add(
                    number, "no HTML comments in a runbook: what is not on the paper must not be run"
                )
            sections[-1].lines.append(line)
    return sections


def _fenced(
    section: Section, number: int, fence: re.Match[str], lines: Iterator[tuple[int, str]], problems: Problems
) -> None:
    """Read on to the fence's end; a block of ours goes to `blocks`, any other stays in the prose."""
    margin, mark, info = fence.groups()
    body: list[str] = []
    last = ""
    for _, last in lines:
        if re.fullmatch(rf"\s*(?:>\s*)*{re.escape(mark[0])}{{{len(mark)},}}\s*", last):
            break
        body.append(last)
    else:
        problems.add(number, f"this fence ({mark}) does not end")
        return
    words = info.lower().split()
    if words[:1] not in (["yaml"], ["yml"]) and not {HEADER, STEP} & set(words):
        section.lines += [fence.string, *body, last]
    elif words not in (["yaml", HEADER], ["yaml", STEP]):
        problems.add(number, f"'{info}': a YAML fence in a runbook is `yaml {STEP}` or `yaml {HEADER}`")
    elif margin:
        problems.add(number, "must stand at the margin, not in a list or a quotation")
    else:
        section.blocks.append(Block(number, words[1], "\n".join(body)))
