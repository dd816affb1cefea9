"""HTTP: health and metrics for machines, the API for programs, and a socket for the console script.

Health and metrics come from memory; the engine is never asked. The API is a table of operations
(`table`), each of them a use-case of the manager.
"""

from controller.api.callers import KeyHolders, Members
from controller.api.gate import Gate
from controller.api.local_socket import serve_console
from controller.api.server import serve
from controller.api.service_tokens import ServiceTokens, tokens_of_services

__all__ = [
    "Gate",
    "KeyHolders",
    "Members",
    "ServiceTokens",
    "serve",
    "serve_console",
    "tokens_of_services",
]
