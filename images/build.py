"""Builds the images that BotMaker needs, without an image registry.

python images/build.py demo [--if-missing]         the demo bot
python images/build.py python-base [--if-missing]  this system with Python, as the Dockerfile's base
python images/build.py controller                  BotMaker itself, from the Dockerfile
python images/build.py openclaw [--if-missing]     OpenClaw, as the tests run it
python images/build.py discordpy [--if-missing]    the bot of the discordpy template
python images/build.py maubot [--if-missing]       the bot of the maubot template
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
    # Most likely somebody used the system's Python instead of the project's.
    name = missing.name
    print(
        f"No Python package {name}: run scripts/setup, then use .venv/bin/python.", file=sys.stderr
    )
    sys.exit(69)


def main() -> int:
    """Build the named image; every failure ends in one sentence and a non-zero status."""
    parser = argparse.ArgumentParser(description="Build one of BotMaker's images.")
    parser.add_argument(
        "image", choices=["demo", "python-base", "controller", "openclaw", *bot_image.TAGS]
    )
    parser.add_argument("--if-missing", action="store_true", help="skip it if it already exists")
    options = parser.parse_args()
    # One build at a time: two would both install packages and build the same base.
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
        return fail(f"The Docker engine failed: {error}", 1)
    except OSError as error:
        return fail(f"{options.image} can't be built: {error}", 1)
    except KeyboardInterrupt:
        return fail("Stopped.", 130)
    return 0


def fail(sentence: str, status: int) -> int:
    """Print a sentence that says what to do, and return the exit status."""
    print(sentence, file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
