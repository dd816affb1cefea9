"""A bot's log as an answer, and the buttons that page through it."""
