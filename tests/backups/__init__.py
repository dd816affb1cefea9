"""Backup files: their format, and what a restore makes of them."""
