"""The installations of the manager's tests."""

from tests.manager.conftest import asleep, pytest_runtest_makereport, rig

__all__ = ["asleep", "pytest_runtest_makereport", "rig"]
