"""One drill from plan to report: the supervisor that owns the run."""
