"""Plain data and pure rules: what a bot is, what is wished, what is seen, what to do next.

Nothing here does I/O; adapters are next door in `store`, `vault`, `catalog` and `runtime`.
"""
