"""Which cases are run, and what became of them: a plugin of pytest."""

import json
import os
import pathlib

import pytest

BACKEND = os.environ["BACKEND"]
CASES = os.environ["CASES"]
LEFT_OUT = pathlib.Path(__file__).parent.parent / "left-out.json"


def left_out_cases():
    """What this client leaves out over this backend."""
    groups = json.loads(LEFT_OUT.read_text())
    mine = [group for group in groups if (group["client"], group["backend"]) == (os.environ["CLIENT"], BACKEND)]
    return {case for group in mine for case in group["cases"]}


def is_wanted(item, left_out):
    if BACKEND != "file" and item.get_closest_marker("node"):
        return False
    if CASES == "quick" and not item.get_closest_marker("quick"):
        return False
    return (item.nodeid in left_out) == (CASES == "left-out")


class Cases:
    def __init__(self):
        self._results = {}

    def pytest_collection_modifyitems(self, config, items):
        left_out = left_out_cases()
        unknown = left_out - {item.nodeid for item in items}
        if unknown:
            raise pytest.UsageError(f"left-out.json names what is no case: {sorted(unknown)}")
        wanted = [item for item in items if is_wanted(item, left_out)]
        config.hook.pytest_deselected(items=[item for item in items if item not in wanted])
        items[:] = wanted

    def pytest_collectreport(self, report):
        if report.failed:
            self._results[report.nodeid] = ("failed", str(report.longrepr))

    def pytest_runtest_logreport(self, report):
        # A case has three reports: setting up, the call, clearing up. The first that failed tells.
        before = self._results.get(report.nodeid, ("passed", ""))
        if before[0] == "failed":
            return
        if report.failed:
            self._results[report.nodeid] = ("failed", said(report))
        elif report.skipped:
            self._results[report.nodeid] = ("skipped", said(report))
        else:
            self._results[report.nodeid] = before

    def pytest_sessionfinish(self):
        rows = [{"name": name, "outcome": outcome, "said": text} for name, (outcome, text) in self._results.items()]
        pathlib.Path(os.environ["RESULTS"]).write_text(json.dumps(rows))


def said(report):
    """The line that tells what went wrong."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        return crash.message
    return str(report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr)
