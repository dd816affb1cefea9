"""What people read: hostile text made safe, Discord's limits, errors and bots in words."""
