"""A demo that somebody uses and ends with Ctrl-C: `python -m tests.demo.visited FOLDER`.

Without a browser, so that many can be run in a row. It says which installation it is.
"""

import asyncio
import os
import signal
import sys
from functools import partial
from pathlib import Path

from demo.session import serve
from demo.world import World
from tests.demo.leftovers import instance_of

INSTALLATION = "installation "
SECRETS = {"api_key": "api-key-of-bee", "channel_token": "channel-token-of-bee"}


async def visit(folder: Path, world: World) -> None:
    """Create a bot, enter its secrets, see it run, press Ctrl-C."""
    print(f"{INSTALLATION}{instance_of(folder)}")
    ann = world.admin
    offer = await ann.slash(world.channel, "bot create", name="bee", template="demo")
    form = await ann.click(offer.response, label="Enter secrets")
    answer = await ann.submit_modal(form, SECRETS)
    print(answer.response.content.splitlines()[0])
    os.kill(os.getpid(), signal.SIGINT)


def main() -> None:
    """Serve it."""
    folder = Path(sys.argv[-1])
    asyncio.run(serve(folder, visit=partial(visit, folder)))


if __name__ == "__main__":
    main()
