"""One act on many bots: choosing them, confirming it, and the message that shows how it goes."""
