"""Below which paths what is answered."""

PREFIX = "/api/v1"  # the operations
ASSISTANTS = "/mcp"
