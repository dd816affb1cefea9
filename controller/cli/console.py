"""The commands of the console script `botmaker`, and where each of them is.

Nothing is imported here but what every command needs.
"""

from __future__ import annotations

from pathlib import Path

import click

import controller
from controller.cli.lazy import Lazy, LazyGroup
from controller.cli.reach import Reach

COMMANDS = {
    "run": Lazy("controller.cli.running:run_command", "Run the controller."),
    "init": Lazy("controller.cli.init:init_command", "Set BotMaker up, step by step."),
    "doctor": Lazy("controller.cli.running:doctor", "Check everything, with a remedy for each."),
    "support-bundle": Lazy(
        "controller.cli.support_bundle:support_bundle", "Write what a helper needs to see."
    ),
    "list": Lazy("controller.cli.looking:list_bots", "List the bots with their phases."),
    "show": Lazy("controller.cli.looking:show", "Show a bot with its settings and secrets."),
    "logs": Lazy("controller.cli.looking:logs", "Print a bot's log, redacted."),
    "incidents": Lazy("controller.cli.incident_list:incidents", "Print what is wrong, and was."),
    "alerts": Lazy("controller.cli.alerts:alerts", "Who is pinged by incidents."),
    "orphans": Lazy("controller.cli.orphans:orphans", "What belongs to no bot any more."),
    "history": Lazy("controller.cli.looking:history", "Print what happened, newest first."),
    "story": Lazy("controller.cli.looking:story", "Print a bot's last looks and steps."),
    "start": Lazy("controller.cli.power:start", "Start bots."),
    "stop": Lazy("controller.cli.power:stop", "Stop bots."),
    "restart": Lazy("controller.cli.power:restart", "Restart bots."),
    "stats": Lazy("controller.cli.stats:stats", "Print what bots use."),
    "schedule": Lazy("controller.cli.schedules:schedule", "What a bot does by itself, and when."),
    "fleet": Lazy("controller.cli.many:fleet", "Start, stop, restart or update many bots."),
    "releases": Lazy("controller.cli.releases:releases", "Print what a bot was made of."),
    "snapshots": Lazy(
        "controller.cli.snapshots_of_bots:snapshots", "Print or restore copies of a bot's state."
    ),
    "update": Lazy("controller.cli.releases:update", "Bring a bot up to date."),
    "updates": Lazy("controller.cli.updates:updates", "Look for newer images of all bots."),
    "rollback": Lazy("controller.cli.releases:rollback", "Make a bot what it was."),
    "edit": Lazy("controller.cli.editing:edit", "Change what a bot is made of."),
    "clone": Lazy("controller.cli.copying_bots:clone", "Create a bot like another one."),
    "rename": Lazy("controller.cli.copying_bots:rename", "Call a bot something else."),
    "create": Lazy("controller.cli.fleet_files:create", "Create the bots of a file."),
    "delete": Lazy("controller.cli.power:delete", "Delete a bot with all that it has."),
    "export": Lazy("controller.cli.fleet_files:export_command", "Print the fleet as TOML."),
    "plan": Lazy("controller.cli.fleet_files:plan_command", "Say what `apply` would change."),
    "apply": Lazy("controller.cli.fleet_files:apply_command", "Make the fleet as files say."),
    "seal": Lazy("controller.cli.seal:seal", "Encrypt a secret before it is entered."),
    "rekey": Lazy("controller.cli.rekey:rekey_command", "Replace the master key."),
    "token": Lazy("controller.cli.tokens:tokens", "Make, list and revoke API tokens."),
    "webhook": Lazy("controller.cli.webhooks:webhooks", "Send events to other programs."),
    "edge": Lazy("controller.cli.edge:edge", "Put a Cloudflare Worker in front of BotMaker."),
    "mcp": Lazy("controller.cli.assistant_bridge:mcp_command", "Serve an assistant (MCP)."),
    "backup": Lazy("controller.cli.backup_commands:backup", "Back everything up, encrypted."),
    "restore": Lazy("controller.cli.backup_commands:restore", "Restore a backup, here."),
    "adopt": Lazy("controller.cli.adopting:adopt", "Rebuild a lost database from containers."),
    "templates": Lazy("controller.cli.templates:templates", "List, check or explain templates."),
    "import": Lazy("controller.cli.imports:imports", "Draft a template from a container."),
    "build-image": Lazy(
        "controller.cli.image_recipes:build_image", "Build a built-in template's image."
    ),
    "completion": Lazy("controller.cli.completion:completion", "Print a shell's completion."),
}


@click.group(cls=LazyGroup, later=COMMANDS)
@click.version_option(controller.__version__, prog_name="botmaker")
@click.option("--url", metavar="URL", help="Ask the controller at this address.")
@click.option(
    "--token-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The API token for --url, in a file that nobody else can read.",
)
@click.pass_context
def cli(context: click.Context, url: str | None, token_file: Path | None) -> None:
    """BotMaker: a Discord bot that makes and runs other bots.

    Commands ask the controller that runs on this machine, over a socket in its data folder; with
    --url they ask the one at that address.
    """
    if token_file is not None and not url:
        raise click.UsageError("--token-file needs --url.")
    context.obj = Reach(url or "", token_file)
