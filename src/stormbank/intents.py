"""What a customer means by a sentence: an intent, found by words, always the same one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_WORD: Final = re.compile(r"[a-z]+")


@dataclass(frozen=True)
class Intent:
    """`words` are English ones, `signs` Chinese ones, which nothing stands between. `answer` is what is said."""

    name: str
    words: frozenset[str]
    signs: tuple[str, ...]
    answer: str


HELP: Final = Intent(
    "help",
    frozenset(),
    (),
    "You can ask about your balance, your bills, or a transfer.",
)
# The first one that fits is meant: whoever names a transfer is not shown a balance, and nothing is done for anybody who
# names one. Money moves where it is confirmed, never by voice.
INTENTS: Final = (
    Intent(
        "transfer",
        frozenset({"transfer", "transfers", "send", "pay", "wire"}),
        ("转账", "汇款", "付款"),
        "Please enter and confirm the transfer on the page that opens.",
    ),
    Intent(
        "bills",
        frozenset({"bill", "bills", "statement", "history", "spent", "spend"}),
        ("账单", "明细", "流水"),
        "Here are your latest entries.",
    ),
    Intent(
        "balance",
        frozenset({"balance", "money", "left", "account"}),
        ("余额", "多少钱"),
        "Here is your balance.",
    ),
)


def intent_of(text: str) -> Intent:
    """Return what `text` asks for; HELP when nothing is recognised."""
    said = frozenset(_WORD.findall(text.casefold()))
    for intent in INTENTS:
        if said & intent.words or any(sign in text for sign in intent.signs):
            return intent
    return HELP
