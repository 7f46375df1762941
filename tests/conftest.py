"""The run as a whole: every test collected, every skip with its reason, and at the end how much was tried."""

from collections import defaultdict
from pathlib import Path

import pytest
from guard import missing, without_reason
from tally import TALLY

COLLECTED: dict[Path, set[str]] = defaultdict(set)


def pytest_itemcollected(item):
    COLLECTED[item.path].add(getattr(item, "originalname", None) or item.name)


def pytest_collection_modifyitems(config):
    if any("::" in argument for argument in config.args) or config.getoption("lf", False):
        return  # single tests were asked for
    wrong = [line for path, names in COLLECTED.items() if path.name.startswith("test_") for line in missing(path, names)]
    if wrong:
        raise pytest.UsageError("\n".join(wrong))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and exitstatus == 0 and without_reason(reporter.stats.get("skipped", [])):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    for line in without_reason(terminalreporter.stats.get("skipped", [])):
        terminalreporter.write_line(line, red=True)
    if TALLY:
        terminalreporter.write_line("tried: " + ", ".join(f"{n:,} {what}" for what, n in sorted(TALLY.items())))
