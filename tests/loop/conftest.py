"""The same installation as in `tests/manager`."""

from tests.manager.conftest import asleep, pytest_runtest_makereport, rig

__all__ = ["asleep", "pytest_runtest_makereport", "rig"]
