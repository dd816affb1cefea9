"""Which role each command, button and form needs. What has no line here is refused to everybody."""

from __future__ import annotations

from dataclasses import dataclass

from controller.domain.roles import Role


@dataclass(frozen=True, slots=True)
class Rule:
    """The role needed, and the act in words ("… needs the role admin")."""

    role: Role
    what: str
    any_bot: bool = False  # a role for a single bot is enough; the answer shows only those bots
    direct: bool = False  # also in a direct message


RULES: dict[str, Rule] = {
    "bot create": Rule(Role.ADMIN, "Creating a bot"),
    "bot list": Rule(Role.VIEWER, "Listing bots", any_bot=True),
    "bot show": Rule(Role.VIEWER, "Looking at a bot"),
    "bot logs": Rule(Role.VIEWER, "Reading a bot's log"),
    "bot history": Rule(Role.VIEWER, "Reading a bot's history"),
    "bot start": Rule(Role.OPERATOR, "Starting a bot"),
    "bot stop": Rule(Role.OPERATOR, "Stopping a bot"),
    "bot restart": Rule(Role.OPERATOR, "Restarting a bot"),
    # An action's own role, from its template, is asked for beside this one.
    "bot do": Rule(Role.VIEWER, "Running an action of a bot"),
    "bot edit": Rule(Role.ADMIN, "Changing a bot's settings"),
    "bot secrets": Rule(Role.ADMIN, "Replacing secrets"),
    "bot delete": Rule(Role.ADMIN, "Deleting a bot"),
    "fleet status": Rule(Role.VIEWER, "The fleet's status", any_bot=True),
    "fleet orphans": Rule(Role.ADMIN, "Looking for orphans"),
    "fleet doctor": Rule(Role.ADMIN, "The doctor"),
    "access grant": Rule(Role.ADMIN, "Granting a role"),
    "access revoke": Rule(Role.ADMIN, "Revoking a role"),
    "access list": Rule(Role.ADMIN, "Listing grants"),
    "access test": Rule(Role.ADMIN, "Testing access"),
    "button logs": Rule(Role.VIEWER, "Reading a bot's log"),
    "button older": Rule(Role.VIEWER, "Reading a bot's log"),
    "button refresh": Rule(Role.VIEWER, "Reading a bot's log"),
    "button file": Rule(Role.VIEWER, "Reading a bot's log"),
    "button start": Rule(Role.OPERATOR, "Starting a bot"),
    "button stop": Rule(Role.OPERATOR, "Stopping a bot"),
    "button restart": Rule(Role.OPERATOR, "Restarting a bot"),
    "button delete": Rule(Role.ADMIN, "Deleting a bot"),
    "button secrets": Rule(Role.ADMIN, "Entering secrets"),
    "button form": Rule(Role.ADMIN, "Entering secrets", direct=True),
    "button edit": Rule(Role.ADMIN, "Changing a bot's settings", direct=True),
    "modal do": Rule(Role.VIEWER, "Running an action of a bot"),
    "modal edit": Rule(Role.ADMIN, "Changing a bot's settings", direct=True),
    "modal form": Rule(Role.ADMIN, "Entering secrets", direct=True),
}
