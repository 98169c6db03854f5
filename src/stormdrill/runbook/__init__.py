"""Runbooks: Markdown that a person can print and follow, and that the harness can run and record.

`document` reads a file, `values` is what it says, `calls` are what its steps can ask and do, `run` goes through
it with a person at a `desk` or without one, and `journal` is what was done, from which a run is resumed.
"""
