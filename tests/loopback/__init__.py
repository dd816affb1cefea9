"""A small Discord on 127.0.0.1, REST and gateway, for a bot in another process.
Start at server.py; ../test_loopback_discord.py shows each part against the real discord.py."""

from .errors import NoAnswer, NotReached
from .faults import Fault
from .invocation import Invocation, Modal
from .person import Person
from .server import LoopbackDiscord, Request
from .world import Attachment, Message

__all__ = [
    "Attachment",
    "Fault",
    "Invocation",
    "LoopbackDiscord",
    "Message",
    "Modal",
    "NoAnswer",
    "NotReached",
    "Person",
    "Request",
]
