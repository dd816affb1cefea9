"""The proofs run short in `make test` and in full with `--prove` (`make prove`)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.prove.tally import Tally

_TALLY = pytest.StashKey[Tally]()
WRITE_TO = "BOTMAKER_PROVE_TALLY"  # the file for __main__.py, which then prints the table


@pytest.fixture(scope="session")
def tally(pytestconfig: pytest.Config) -> Tally:
    """Counts what a proof tries: `tally.tried["kills"] += 1`, `tally.pick(3, 200)`."""
    if _TALLY not in pytestconfig.stash:
        pytestconfig.stash[_TALLY] = Tally(full=bool(pytestconfig.getoption("--prove")))
    return pytestconfig.stash[_TALLY]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the table if proofs ran, unless __main__.py adds up several."""
    found = config.stash.get(_TALLY, None)
    if found is None or not found.tried:
        return
    if os.environ.get(WRITE_TO):
        found.write(Path(os.environ[WRITE_TO]))
        return
    terminalreporter.section("what the proofs tried")
    for line in found.table():
        terminalreporter.write_line(line)
