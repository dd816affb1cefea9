"""Who asks for what, from where, and the answer they're owed."""
