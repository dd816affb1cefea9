"""The health check: passes only while the bot is connected to Discord's gateway."""

import sys
import time
from pathlib import Path

FRESH = 20  # seconds; the bot touches the file every 2

try:
    age = time.time() - Path("/tmp/connected").stat().st_mtime
except FileNotFoundError:
    sys.exit("Not connected to Discord.")
if age > FRESH:
    sys.exit(f"The bot hasn't reported for {age:.0f} seconds.")
