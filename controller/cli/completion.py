"""`botmaker completion SHELL`: click's own completion, for commands, options and names of bots."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

VARIABLE = "_BOTMAKER_COMPLETE"
SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion for a shell: `source <(botmaker completion bash)`."""
    found = get_completion_class(shell)
    assert found is not None, "click knows these three"
    root = context.find_root().command
    click.echo(found(root, {}, "botmaker", VARIABLE).source(), nl=False)
