"""The half of the load that lives inside the child: phones, probes, plain locustfiles, the wire, the keeper.

These modules use gevent and Locust, whose import patches the whole interpreter. They may be imported only
where that has happened on purpose: in `stormdrill.load.child`, and in locustfiles that it loads.
"""

from __future__ import annotations

import sys

if "locust" not in sys.modules:
    raise ImportError(
        "stormdrill.load.generator runs only inside the load child (python -m stormdrill.load.child): "
        "importing it elsewhere would patch the whole interpreter"
    )
