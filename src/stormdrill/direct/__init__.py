"""Directors: what the harness asks of and does to the parts of an estate that Kubernetes does not know."""
