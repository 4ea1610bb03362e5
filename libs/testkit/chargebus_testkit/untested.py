"""What a test run could not test, told at its end so that nothing is skipped in silence."""

import pytest


class Untested:
    """A pytest plugin that lists the tests skipped because something real could not be had."""

    REASON = "not tested:"

    def __init__(self) -> None:
        self._reasons: dict[str, list[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember a skip that is of our making."""
        if report.skipped and isinstance(report.longrepr, tuple):
            _, _, reason = report.longrepr
            if self.REASON in reason:
                self._reasons.setdefault(reason.partition(self.REASON)[2].strip(), []).append(report.nodeid)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """List what was left out, reason by reason."""
        for reason, tests in self._reasons.items():
            terminalreporter.section(f"could not be tested: {reason}")
            for test in tests:
                terminalreporter.line(test)
