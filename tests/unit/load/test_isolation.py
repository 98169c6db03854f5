"""Locust patches the interpreter on import, so nothing but the load child may bring it in."""

import subprocess
import sys

WALK = """
import importlib, pkgutil, sys
import stormdrill
for module in pkgutil.walk_packages(stormdrill.__path__, "stormdrill.", onerror=lambda name: None):
    if module.name.startswith(("stormdrill.load.child", "stormdrill.load.generator", "stormdrill.__main__")):
        continue
    importlib.import_module(module.name)
loaded = {"locust", "gevent", "geventhttpclient"} & set(sys.modules)
assert "stormdrill.load.process" in sys.modules
assert not loaded, loaded
try:
    import stormdrill.load.generator
except ImportError as error:
    print(error)
"""


def test_no_module_but_the_child_imports_locust() -> None:
    done = subprocess.run([sys.executable, "-c", WALK], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "only inside the load child" in done.stdout
