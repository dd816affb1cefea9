"""The slash commands, one file for each group. What they share with buttons is in `power`."""
