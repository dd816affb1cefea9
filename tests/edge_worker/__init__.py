"""A real Worker in Miniflare, with a real D1 (`make test-edge`). Needs Node; nothing else does."""
