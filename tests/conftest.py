"""The run as a whole, in one process or two: every test collected, every skip with its reason, and at the end how much was tried."""

import os
from collections import defaultdict
from pathlib import Path

import pytest
from guard import missing, without_reason
from pages import at_rest, browser, goto  # noqa: F401
from tally import TALLY

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ.setdefault(name, "1")  # before NumPy is loaded: on small matrices more threads mostly wait for each other

COLLECTED: dict[Path, set[str]] = defaultdict(set)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """Whole folders are run by two processes at once, files and single tests that were asked for by this one."""
    files = all(Path(argument.partition("::")[0]).is_file() for argument in config.args)
    return 0 if files or config.option.collectonly else min(2, os.cpu_count() or 1)


def pytest_itemcollected(item):
    COLLECTED[item.path].add(getattr(item, "originalname", None) or item.name)


def pytest_collection_modifyitems(session, config):
    if any("::" in argument for argument in config.args) or config.getoption("lf", False):
        return  # single tests were asked for
    wrong = [line for path, names in COLLECTED.items() if path.name.startswith("test_") for line in missing(path, names)]
    if wrong:
        session.shouldfail = "\n".join(wrong)  # which a process tells the one that started it, as it would not an error


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    if hasattr(session.config, "workeroutput"):  # one of several processes
        session.config.workeroutput["tally"] = dict(TALLY)
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and exitstatus == 0 and without_reason(reporter.stats.get("skipped", [])):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """What a process counted counts, also when others ran beside it; one that died says nothing, and its test fails."""
    TALLY.update(getattr(node, "workeroutput", {}).get("tally", {}))


def pytest_terminal_summary(terminalreporter):
    for line in without_reason(terminalreporter.stats.get("skipped", [])):
        terminalreporter.write_line(line, red=True)
    if TALLY:
        terminalreporter.write_line("tried: " + ", ".join(f"{n:,} {what}" for what, n in sorted(TALLY.items())))
