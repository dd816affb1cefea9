"""Tests of the manager: the in-memory runtime, a real store and a real vault under it."""
