"""Tests of the loop, over the installation of `tests/manager/rig.py`."""
