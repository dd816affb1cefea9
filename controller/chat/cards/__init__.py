"""The cards: one message for each bot in the admin channel, edited in place."""
