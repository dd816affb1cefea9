"""The forms, which Discord calls modals: secrets, settings, and what an action must be told."""
