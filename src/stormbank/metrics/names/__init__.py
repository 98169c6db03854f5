"""The names of all metrics: one file a subject, each with METRICS and with LABELS, what its labels mean.

A file put here is in the table (stormbank.metrics.table) and, after scripts/metrics_page.py, in docs/metrics.md.
Names are an interface: alerts, drills and other people's dashboards use them. Add, and do not rename.
"""
