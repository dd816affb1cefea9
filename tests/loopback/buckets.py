"""Discord's rate limit of edits, as a channel has it: so many in a window, and 429 beyond.
Next door: wire.py asks here before it lets a request through."""

from __future__ import annotations

import re
import time
from collections import deque
from dataclasses import dataclass, field

_EDIT = re.compile(r"/channels/(\d+)/messages/\d+")


@dataclass(slots=True)
class Buckets:
    """One bucket for each channel. Off until `count` is set."""

    count: int = 0
    seconds: float = 5.0
    exceeded: int = 0
    _spent: dict[str, deque[float]] = field(default_factory=dict)

    def spend(self, method: str, path: str) -> tuple[dict[str, str], float]:
        """The headers of the answer, and for how long the request is refused; 0: it isn't."""
        found = _EDIT.fullmatch(path) if self.count and method == "PATCH" else None
        if found is None:
            return {}, 0.0
        now, spent = time.monotonic(), self._spent.setdefault(found[1], deque())
        while spent and spent[0] <= now - self.seconds:
            spent.popleft()
        refused = 0.0
        if len(spent) >= self.count:
            self.exceeded += 1
            refused = spent[0] + self.seconds - now
        else:
            spent.append(now)
        left = self.seconds - (now - spent[0])
        headers = {
            "X-RateLimit-Limit": str(self.count),
            "X-RateLimit-Remaining": str(self.count - len(spent)),
            "X-RateLimit-Reset": f"{time.time() + left:.3f}",
            "X-RateLimit-Reset-After": f"{left:.3f}",
            "X-RateLimit-Bucket": f"edit-{found[1]}",
        }
        return headers, refused
