"""What schemathesis is told besides the document (SCHEMATHESIS_HOOKS)."""

import schemathesis

_LEAST_MS = 1000
_UNKNOWN = "x-schemathesis-unknown-property"


@schemathesis.hook
def filter_case(context, case) -> bool:
    """Leave out customers who hardly wait: that nothing is begun for them may be a 504, and no mistake.

    And headers that nobody knows, which HTTP has everybody ignore.
    """
    if any(name.lower() == _UNKNOWN for name in case.headers or {}):
        return False
    budget = str((case.headers or {}).get("X-Deadline-Ms", _LEAST_MS))
    return not budget.isdigit() or int(budget) not in range(1, _LEAST_MS)
