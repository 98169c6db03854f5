"""What an answer, or its absence, says: outcome, reason, what the witness may state, whether to try again.

The rule for money: only what is known not to have been done is a failure; what may have been done is unknown.

| what came back | outcome, reason | witness | again |
|---|---|---|---|
| no connection | failed, connect | fail | yes |
| connection lost after sending | unknown, reset | unknown | yes |
| nothing within the timeout | unknown, timeout | unknown | yes |
| 429, or 503 with error "shed" | shed, overload or rate | fail | yes |
| 5xx or 408, read | failed, status (dependency: a 503 with a reason) | fail | yes |
| 5xx or 408, write | unknown, as above | unknown | yes |
| 5xx or 408 of a write that states `"outcome": "none"` | failed, as above | fail | yes |
| other status than the expected one | failed, status | fail (unknown if 2xx) | no |
| the expected status, wrong or missing content (or another's key) | failed, content | unknown | no |

No bare 503 is believed: a proxy gives it when it found no server, and also when the server died after the booking,
and its text does not tell which. Asking again under the same key does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from stormdrill.records.layout import Act, Outcome, Reason


class Trouble(Enum):
    """How an exchange ended without a whole answer."""

    CONNECT = Reason.CONNECT
    RESET = Reason.RESET
    TIMEOUT = Reason.TIMEOUT


@dataclass(frozen=True)
class Expectation:
    """What a good answer looks like: its status, fields of its JSON body, and the key it must repeat."""

    write: bool
    status: int = 200
    fields: tuple[str, ...] = ()
    key: str = ""


@dataclass(frozen=True)
class Judgement:
    """What became of one attempt. `content` is the JSON body as far as it is an object."""

    outcome: Outcome
    reason: Reason
    act: Act
    again: bool
    content: Mapping[str, Any]

    @property
    def good(self) -> bool:
        """Answered correctly."""
        return self.outcome is Outcome.GOOD


_EXPIRED = 408
"""The caller's time was over when the request came: a matter of time, as a 504 is, and none of what was asked."""
_NOTHING: Mapping[str, Any] = {}


def judge_trouble(trouble: Trouble) -> Judgement:
    """An exchange without an answer."""
    if trouble is Trouble.CONNECT:
        return Judgement(Outcome.FAILED, Reason.CONNECT, Act.FAIL, True, _NOTHING)
    return Judgement(Outcome.UNKNOWN, trouble.value, Act.UNKNOWN, True, _NOTHING)


def judge_answer(expected: Expectation, status: int, body: bytes) -> Judgement:
    """An answer with `status` and `body`."""
    content = _object(body)
    if status == expected.status:
        return _judge_content(expected, content)
    if status == 429 or (status == 503 and content.get("error") == "shed"):
        reason = Reason.RATE if content.get("reason") == "rate" else Reason.OVERLOAD
        return Judgement(Outcome.SHED, reason, Act.FAIL, True, content)
    if status >= 500 or status == _EXPIRED:
        return _judge_server_error(expected, status, content)
    act = Act.UNKNOWN if 200 <= status < 300 else Act.FAIL
    return Judgement(Outcome.FAILED, Reason.STATUS, act, False, content)


def _judge_content(expected: Expectation, content: Mapping[str, Any]) -> Judgement:
    whole = all(name in content for name in expected.fields)
    if whole and (not expected.key or content.get("key") == expected.key):
        return Judgement(Outcome.GOOD, Reason.NONE, Act.OK, False, content)
    return Judgement(Outcome.FAILED, Reason.CONTENT, Act.UNKNOWN, False, content)


def _judge_server_error(expected: Expectation, status: int, content: Mapping[str, Any]) -> Judgement:
    reason = Reason.DEPENDENCY if status == 503 and "reason" in content else Reason.STATUS
    if expected.write and content.get("outcome") != "none":
        return Judgement(Outcome.UNKNOWN, reason, Act.UNKNOWN, True, content)
    return Judgement(Outcome.FAILED, reason, Act.FAIL, True, content)


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        return _NOTHING
    return content if isinstance(content, dict) else _NOTHING
