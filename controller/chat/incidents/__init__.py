"""Incidents in the admin channel: one message for each, announced once and edited in place."""
