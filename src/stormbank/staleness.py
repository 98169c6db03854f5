"""The mark of an answer that is not the newest: until when it shows everything, as a header beside its fields."""

from __future__ import annotations

from typing import Final

HEADER: Final = "Bank-As-Of"
