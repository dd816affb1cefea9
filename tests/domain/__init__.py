"""Tests of the domain: tables and properties, no I/O."""
