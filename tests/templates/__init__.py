"""The built-in templates beside OpenClaw, and those that people write, each run for real."""
