"""`botmaker build-image`: the image of a built-in template, by the recipe that BotMaker brings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

import controller
from controller.catalog.loading import BUILTIN
from controller.cli.outcome import status_of
from controller.settings import inherited, load_settings

_PACKAGE = Path(controller.__file__).parent
# In a wheel the recipes are inside the package, in a checkout beside it.
RECIPES = next(p for p in (_PACKAGE / "images", _PACKAGE.parent / "images") if p.exists())
TEMPLATES = sorted(path.stem for path in BUILTIN.glob("*.toml"))


@click.command("build-image")
@click.argument("template", type=click.Choice(TEMPLATES))
@click.option("--if-missing", is_flag=True, help="Only if the engine doesn't have it yet.")
def build_image(template: str, *, if_missing: bool) -> None:
    """Build the image of a built-in template on the engine. It needs no image registry."""

    def work() -> int:
        command = [sys.executable, str(RECIPES / "build.py"), template]
        command += ["--if-missing"] if if_missing else []
        return subprocess.run(command, env=inherited(load_settings()), check=False).returncode

    sys.exit(status_of(work))
