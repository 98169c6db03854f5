"""Refusals: every answer that is not a success is one of these, with a status, an error and a reason.

Problem
+-- BadRequest (400)      the caller must change the request
+-- Malformed (400)       not even HTTP as it should be
+-- Unauthorized (401)
+-- Forbidden (403)       known who, and not allowed that way: a device, a code or a step-up is wanting
+-- NotFound (404)
+-- MethodNotAllowed (405)
+-- Expired (408)         the caller's time was over when the request came
+-- Conflict (409)        an idempotency key that already stands for something else, a code that was used
+-- TooLarge (413)
+-- UnsupportedMediaType (415)
+-- Misrouted (421)      another cell's customer: nothing the caller did, the bank's settings disagree
+-- Refused (422)         understood, and the books say no
+-- HeadersTooLarge (431)
+-- Shed (429)            flow control gave the request up; try again later
+-- Unavailable (503)     a dependency is in trouble
|   +-- StaleEpoch        the write was made under another epoch than the database's; nothing was booked
+-- DeadlineExceeded (504)
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from stormbank.wrong import Wrong


class Problem(Exception):  # noqa: N818 - an answer, not a fault of ours
    """A request that ends without success. `fields` is the JSON body of the answer."""

    status = 500
    error = "internal"
    reasons: ClassVar[tuple[str, ...]] = ()
    """All that there are, where they are promised."""

    def __init__(self, reason: str, *, retry_after_s: int | None = None, **fields: Any) -> None:
        super().__init__(f"{self.error}: {reason}")
        self.fields: dict[str, Any] = {"error": self.error, "reason": reason, **fields}
        self.retry_after_s = retry_after_s


class BadRequest(Problem):
    """The request cannot be understood. `reason` says in a word what is wrong, `detail` what it is about."""

    status = 400
    error = "bad_request"
    reasons = tuple(Wrong)

    def __init__(self, reason: Wrong, detail: str) -> None:
        super().__init__(reason.value, detail=detail)


class Malformed(Problem):
    """The bytes are not a request of HTTP/1.1: header lines, lengths or chunks that do not add up."""

    status = 400
    error = "malformed"
    reasons = ("http", "body")


class TooLarge(Problem):
    """The body is longer than any request needs."""

    status = 413
    error = "too_large"


class UnsupportedMediaType(Problem):
    """The body is not said to be JSON."""

    status = 415
    error = "unsupported_media_type"


class HeadersTooLarge(Problem):
    """A header line, or all of them, is longer than any request needs."""

    status = 431
    error = "headers_too_large"


class NotFound(Problem):
    """No such address."""

    status = 404
    error = "not_found"


class MethodNotAllowed(Problem):
    """The address exists, the method does not. `allow` names those that do."""

    status = 405
    error = "method_not_allowed"


class Unauthorized(Problem):
    """No session, or not one of ours."""

    status = 401
    error = "unauthorized"


class Forbidden(Problem):
    """What is shown does not suffice for this: an unknown device, a wrong code, no step-up."""

    status = 403
    error = "forbidden"


class Expired(Problem):
    """The caller's time was over when the request came, as it says itself; nothing was begun."""

    status = 408
    error = "expired"
    reasons = ("deadline",)

    def __init__(self) -> None:
        super().__init__("deadline", outcome="none")


class Conflict(Problem):
    """What may be used once was used before: an idempotency key with other content, a one-time code."""

    status = 409
    error = "conflict"


class Misrouted(Problem):
    """The customer belongs to another cell than the ledger that was asked."""

    status = 421
    error = "misrouted"


class Refused(Problem):
    """The books refuse the movement (funds, account)."""

    status = 422
    error = "refused"


class Shed(Problem):
    """Given up on purpose by flow control, before any work was done."""

    status = 429
    error = "shed"


class Unavailable(Problem):
    """A dependency does not answer. `outcome` says whether money may have moved: `none` or `unknown`."""

    status = 503
    error = "unavailable"

    def __init__(self, reason: str, *, outcome: str = "none", **fields: Any) -> None:
        super().__init__(reason, retry_after_s=1, outcome=outcome, **fields)


class StaleEpoch(Unavailable):
    """The write's epoch is not the database's: the map has changed, or the database has fallen behind it."""

    REASON: Final = "stale_epoch"


class DeadlineExceeded(Problem):
    """The caller's time ran out here. `outcome` as for Unavailable."""

    status = 504
    error = "deadline"

    def __init__(self, reason: str, *, outcome: str = "none") -> None:
        super().__init__(reason, outcome=outcome)
