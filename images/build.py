"""Builds the images that BotMaker needs, without an image registry.

python images/build.py demo [--if-missing]         the demo bot
python images/build.py python-base [--if-missing]  this system with Python, as the Dockerfile's base
python images/build.py controller                  BotMaker itself, from the Dockerfile
python images/build.py openclaw [--if-missing]     OpenClaw, as the tests run it
python images/build.py server [--if-missing]       a system with systemd, as the tests set one up;
                                                   `--suite trixie`: another release of it
python images/build.py discordpy [--if-missing]    the bot of the discordpy template
python images/build.py maubot [--if-missing]       the bot of the maubot template
"""

import argparse
import fcntl
import importlib
import sys
from pathlib import Path

from stop import Stop

IMAGES = ("demo", "python-base", "controller", "openclaw", "server", "discordpy", "maubot")
# Each needs only its own module: not all packages that the others import are everywhere.
MODULES = {"python-base": "debian", "discordpy": "bot_image", "maubot": "bot_image"}
CHECKOUT = (Path(__file__).parent.parent / "scripts" / "setup").exists()  # else a wheel


def main() -> int:
    """Build the named image; every failure ends in one sentence and a non-zero status."""
    parser = argparse.ArgumentParser(description="Build one of BotMaker's images.")
    parser.add_argument("image", choices=IMAGES)
    parser.add_argument("--if-missing", action="store_true", help="skip it if it already exists")
    parser.add_argument("--suite", default="", help="server: another release of this system")
    options = parser.parse_args()
    # One build at a time: two would both install packages and build the same base.
    turn = Path(__file__).open("rb")  # noqa: SIM115 - held until this process ends
    fcntl.flock(turn, fcntl.LOCK_EX)
    try:
        engine = importlib.import_module("engine")
        recipe = importlib.import_module(MODULES.get(options.image, f"{options.image}_image"))
    except ModuleNotFoundError as missing:
        # Most likely somebody used the system's Python instead of the project's.
        way = "run scripts/setup, then use .venv/bin/python" if CHECKOUT else "install it by pip"
        return fail(f"No Python package {missing.name}: {way}.", 69)
    try:
        recipe.build(engine.connect(), *named(options.image), **unless(options))
    except Stop as stop:
        return fail(str(stop), stop.status)
    except engine.FAILURES as error:
        return fail(f"The Docker engine failed: {error}", 1)
    except OSError as error:
        return fail(f"{options.image} can't be built: {error}", 1)
    except KeyboardInterrupt:
        return fail("Stopped.", 130)
    return 0


def named(image: str) -> tuple[str, ...]:
    """The image's name, for the module that builds several."""
    return (image,) if MODULES.get(image) == "bot_image" else ()


def unless(options: argparse.Namespace) -> dict[str, bool | str]:
    """Whether to build only what is missing. BotMaker's own image is built in any case."""
    found = {} if options.image == "controller" else {"if_missing": options.if_missing}
    return found | ({"suite": options.suite} if options.image == "server" else {})


def fail(sentence: str, status: int) -> int:
    """Print a sentence that says what to do, and return the exit status."""
    print(sentence, file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
