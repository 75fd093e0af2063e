"""Fixtures for all tests: where the real data is, and the summary of what was skipped."""

import contextlib
import os
import pathlib

import pytest

with contextlib.suppress(ImportError):  # the environments of the adapters have no hypothesis
    from hypothesis import HealthCheck, settings

    # How long an example takes, or is drawn, says how busy the machine is; what must be fast is tested as such.
    settings.register_profile("busy machine", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("busy machine")


# Every authority that a test starts has it from here. A disk that stands still for a quarter of a second is no rarity
# on a shared machine, and a decision that it holds up is SILENCE, as it must be; what is decided is another question.
os.environ["SEALGATE_DECISIONS_DEADLINE_MS"] = "20000"
# So has every client, gateways and programs of the documentation included, unless it is given a bound of its own: it
# tells the authority its own two seconds, beyond which nothing is decided either.
os.environ["SEALGATE_TIMEOUT_S"] = "20"


@pytest.fixture(scope="session", name="data_folder")
def _data_folder() -> pathlib.Path:
    """The folder of real data that nobody in this project wrote; the test is skipped where it is missing."""
    named = os.environ.get("SEALGATE_DATA")
    folder = pathlib.Path(named) if named else pathlib.Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("real data folder is missing (set SEALGATE_DATA)")
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name every skipped test with its reason, in one line."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        names = ", ".join(f"{report.nodeid} ({report.longrepr[2]})" for report in skipped)
        terminalreporter.write_line(f"skipped: {names}")
