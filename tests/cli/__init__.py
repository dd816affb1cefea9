"""The console script's commands, each without a controller beside it."""
