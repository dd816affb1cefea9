"""Builds the images that BotMaker needs on a machine without an image registry.

python images/build.py demo [--if-missing]         the demo bot
python images/build.py python-base [--if-missing]  this system with Python: the Dockerfile's base
python images/build.py controller                  BotMaker itself, by the Dockerfile
python images/build.py openclaw [--if-missing]     OpenClaw, as the tests run it
python images/build.py discordpy [--if-missing]    the bot of the template discordpy
python images/build.py maubot [--if-missing]       the bot of the template maubot
"""

import argparse
import fcntl
import sys
from pathlib import Path

from stop import Stop

try:
    import bot_image
    import controller_image
    import debian
    import demo_image
    import engine
    import openclaw_image
except ModuleNotFoundError as missing:
    # Most likely started with the system's Python instead of the project's.
    name = missing.name
    print(f"No Python package {name}: run scripts/setup, use .venv/bin/python.", file=sys.stderr)
    sys.exit(69)


def main() -> int:
    """Build what was asked for; every failure is one sentence and a status that is not 0."""
    parser = argparse.ArgumentParser(description="Build an image of BotMaker.")
    parser.add_argument(
        "image", choices=["demo", "python-base", "controller", "openclaw", *bot_image.TAGS]
    )
    parser.add_argument("--if-missing", action="store_true", help="not when it is there already")
    options = parser.parse_args()
    # One build at a time: two at once would both install packages and make the same base.
    turn = Path(__file__).open("rb")  # noqa: SIM115 - held until this process ends
    fcntl.flock(turn, fcntl.LOCK_EX)
    try:
        client = engine.connect()
        if options.image == "demo":
            demo_image.build(client, if_missing=options.if_missing)
        elif options.image in bot_image.TAGS:
            bot_image.build(client, options.image, if_missing=options.if_missing)
        elif options.image == "python-base":
            debian.build(client, if_missing=options.if_missing)
        elif options.image == "openclaw":
            openclaw_image.build(client, if_missing=options.if_missing)
        else:
            controller_image.build(client)
    except Stop as stop:
        return fail(str(stop), stop.status)
    except engine.FAILURES as error:
        return fail(f"The Docker engine failed at this: {error}", 1)
    except OSError as error:
        return fail(f"Cannot build {options.image}: {error}", 1)
    return 0


def fail(sentence: str, status: int) -> int:
    """Print the sentence that says what to do."""
    print(sentence, file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
