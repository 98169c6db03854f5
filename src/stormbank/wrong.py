"""What can be wrong with a request: short names for programs, and stable. What it is about, `detail` says to people."""

from __future__ import annotations

from enum import StrEnum


class Wrong(StrEnum):
    """The `reason` of a bad request."""

    BODY = "body"
    """No JSON, or no object, or a name in it twice."""
    MISSING_FIELD = "missing_field"
    UNKNOWN_FIELD = "unknown_field"
    FIELD_TYPE = "field_type"
    """Also what no text can hold, and a fraction where a whole number belongs."""
    TEXT = "text"
    """Empty, too long, or with characters that cannot be shown."""
    AMOUNT_RANGE = "amount_range"
    """Zero, negative, or more than any amount."""
    CURRENCY = "currency"
    ACCOUNT = "account"
    """No number that an account can have."""
    SAME_ACCOUNT = "same_account"
    """To oneself."""
    IDEMPOTENCY_KEY = "idempotency_key"
    """Missing, or no UUID."""
    DEADLINE = "deadline"
    """No whole number of milliseconds."""
    REPEATED_HEADER = "repeated_header"
    HEADER = "header"
    """One of those that services of the bank give each other."""
    QUERY = "query"
    VALUE = "value"
    """Of the right type, and none of those that a field can have."""
