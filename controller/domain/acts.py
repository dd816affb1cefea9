"""The table of acts: everything that can be asked of BotMaker, and the role that each needs.

One act serves every way to ask for it: a command, a button, a form, an HTTP call, a tool. The
use-cases in `manager` check it; an edge only says who asks. What isn't in this table can't be done.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from controller.domain.roles import Role


class Scope(Enum):
    """What an act applies to."""

    BOT = "bot"  # one bot, which it names
    ANY = "any"  # whichever bots the principal has the role for; the answer shows only those
    FLEET = "fleet"  # the installation: only a role for all bots counts


@dataclass(frozen=True, slots=True)
class Act:
    """One thing to ask for. `sentence` begins the refusal: "<sentence> needs the role admin"."""

    id: str
    role: Role
    sentence: str
    scope: Scope = Scope.BOT


BOT_CREATE = Act("bot.create", Role.ADMIN, "Creating a bot", Scope.FLEET)
BOT_CLONE = Act("bot.clone", Role.ADMIN, "Copying a bot", Scope.FLEET)
BOT_LIST = Act("bot.list", Role.VIEWER, "Listing bots", Scope.ANY)
BOT_SHOW = Act("bot.show", Role.VIEWER, "Looking at a bot")
BOT_LOGS = Act("bot.logs", Role.VIEWER, "Reading a bot's log")
BOT_HISTORY = Act("bot.history", Role.VIEWER, "Reading a bot's history")
BOT_START = Act("bot.start", Role.OPERATOR, "Starting a bot")
BOT_STOP = Act("bot.stop", Role.OPERATOR, "Stopping a bot")
BOT_RESTART = Act("bot.restart", Role.OPERATOR, "Restarting a bot")
# An action's own role is in its template and counts as well.
BOT_DO = Act("bot.do", Role.VIEWER, "Running an action of a bot")
BOT_EDIT = Act("bot.edit", Role.ADMIN, "Changing a bot's settings")
BOT_RENAME = Act("bot.rename", Role.ADMIN, "Renaming a bot")
BOT_UPDATE = Act("bot.update", Role.ADMIN, "Updating a bot")
BOT_ROLLBACK = Act("bot.rollback", Role.ADMIN, "Rolling a bot back")
BOT_RELEASES = Act("bot.releases", Role.VIEWER, "Seeing a bot's releases")
BOT_SNAPSHOTS = Act("bot.snapshots", Role.VIEWER, "Seeing a bot's snapshots")
BOT_RESTORE = Act("bot.restore", Role.ADMIN, "Restoring a bot's state")
BOT_SECRETS = Act("bot.secrets", Role.ADMIN, "Entering a bot's secrets")
BOT_STATS = Act("bot.stats", Role.VIEWER, "Seeing what a bot uses")
SCHEDULE_ADD = Act("bot.schedule.add", Role.ADMIN, "Adding a schedule to a bot")
SCHEDULE_LIST = Act("bot.schedule.list", Role.VIEWER, "Seeing a bot's schedules")
SCHEDULE_PAUSE = Act("bot.schedule.pause", Role.ADMIN, "Pausing a bot's schedule")
SCHEDULE_RESUME = Act("bot.schedule.resume", Role.ADMIN, "Resuming a bot's schedule")
SCHEDULE_REMOVE = Act("bot.schedule.remove", Role.ADMIN, "Removing a bot's schedule")
BOT_DELETE = Act("bot.delete", Role.ADMIN, "Deleting a bot")
FLEET_STATUS = Act("fleet.status", Role.VIEWER, "Seeing the fleet's status", Scope.ANY)
FLEET_HISTORY = Act("fleet.history", Role.ADMIN, "Reading the history of everything", Scope.FLEET)
FLEET_STATS = Act("fleet.stats", Role.VIEWER, "Seeing what the fleet uses", Scope.ANY)
FLEET_START = Act("fleet.start", Role.OPERATOR, "Starting many bots", Scope.ANY)
FLEET_STOP = Act("fleet.stop", Role.OPERATOR, "Stopping many bots", Scope.ANY)
FLEET_RESTART = Act("fleet.restart", Role.OPERATOR, "Restarting many bots", Scope.ANY)
FLEET_UPDATE = Act("fleet.update", Role.ADMIN, "Updating many bots", Scope.ANY)
FLEET_ORPHANS = Act("fleet.orphans", Role.ADMIN, "Looking for orphans", Scope.FLEET)
ORPHANS_REMOVE = Act("fleet.orphans.remove", Role.ADMIN, "Removing orphans", Scope.FLEET)
FLEET_DOCTOR = Act("fleet.doctor", Role.ADMIN, "Running the doctor", Scope.FLEET)
FLEET_BOARD = Act("fleet.board", Role.OPERATOR, "Putting up a board", Scope.FLEET)
FLEET_BACKUP = Act("fleet.backup", Role.ADMIN, "Backing everything up", Scope.FLEET)
FLEET_UPDATES = Act("fleet.updates", Role.ADMIN, "Looking for updates", Scope.FLEET)
ACCESS_GRANT = Act("access.grant", Role.ADMIN, "Granting a role", Scope.FLEET)
ACCESS_REVOKE = Act("access.revoke", Role.ADMIN, "Revoking a role", Scope.FLEET)
ACCESS_LIST = Act("access.list", Role.ADMIN, "Listing grants", Scope.FLEET)
ACCESS_TEST = Act("access.test", Role.ADMIN, "Testing access", Scope.FLEET)
ACCESS_WEB = Act("access.web", Role.VIEWER, "Signing in to the dashboard", Scope.ANY)
ACCESS_SESSIONS = Act("access.sessions", Role.ADMIN, "Ending sessions", Scope.FLEET)
TOKEN_CREATE = Act("access.token.create", Role.ADMIN, "Creating an API token", Scope.FLEET)
TOKEN_LIST = Act("access.token.list", Role.ADMIN, "Listing API tokens", Scope.FLEET)
TOKEN_REVOKE = Act("access.token.revoke", Role.ADMIN, "Revoking an API token", Scope.FLEET)
WEBHOOK_ADD = Act("webhook.add", Role.ADMIN, "Adding a webhook", Scope.FLEET)
WEBHOOK_LIST = Act("webhook.list", Role.ADMIN, "Listing webhooks", Scope.FLEET)
WEBHOOK_TEST = Act("webhook.test", Role.ADMIN, "Testing a webhook", Scope.FLEET)
WEBHOOK_REPLAY = Act("webhook.replay", Role.ADMIN, "Sending a webhook's events again", Scope.FLEET)
WEBHOOK_REMOVE = Act("webhook.remove", Role.ADMIN, "Removing a webhook", Scope.FLEET)
EDGE_STATUS = Act("edge.status", Role.VIEWER, "Looking at the Worker", Scope.FLEET)
EDGE_DEPLOY = Act("edge.deploy", Role.ADMIN, "Deploying the Worker", Scope.FLEET)
EDGE_ROLLBACK = Act("edge.rollback", Role.ADMIN, "Rolling the Worker back", Scope.FLEET)
INCIDENT_LIST = Act("fleet.incidents", Role.VIEWER, "Listing incidents", Scope.ANY)
INCIDENT_ACKNOWLEDGE = Act(
    "incident.acknowledge", Role.OPERATOR, "Acknowledging an incident", Scope.ANY
)
INCIDENT_MUTE = Act("incident.mute", Role.OPERATOR, "Muting an incident", Scope.ANY)
ALERTS_LIST = Act("fleet.alerts.list", Role.VIEWER, "Seeing who is pinged", Scope.ANY)
ALERTS_OWN = Act("fleet.alerts.me", Role.VIEWER, "Asking to be pinged", Scope.ANY)
ALERTS_GIVE = Act("fleet.alerts.give", Role.ADMIN, "Having others pinged", Scope.FLEET)
DIGEST_OWN = Act("fleet.digest.me", Role.VIEWER, "Asking for a weekly digest", Scope.ANY)
DIGEST_CHANNEL = Act(
    "fleet.digest.here", Role.ADMIN, "Having a channel told every week", Scope.FLEET
)
HELP = Act("help", Role.VIEWER, "Reading the help", Scope.ANY)

ACTS: dict[str, Act] = {
    act.id: act
    for act in (
        BOT_CREATE,
        BOT_CLONE,
        BOT_LIST,
        BOT_SHOW,
        BOT_LOGS,
        BOT_HISTORY,
        BOT_START,
        BOT_STOP,
        BOT_RESTART,
        BOT_DO,
        BOT_EDIT,
        BOT_RENAME,
        BOT_UPDATE,
        BOT_ROLLBACK,
        BOT_RELEASES,
        BOT_SNAPSHOTS,
        BOT_RESTORE,
        BOT_SECRETS,
        BOT_STATS,
        SCHEDULE_ADD,
        SCHEDULE_LIST,
        SCHEDULE_PAUSE,
        SCHEDULE_RESUME,
        SCHEDULE_REMOVE,
        BOT_DELETE,
        FLEET_STATUS,
        FLEET_HISTORY,
        FLEET_STATS,
        FLEET_START,
        FLEET_STOP,
        FLEET_RESTART,
        FLEET_UPDATE,
        FLEET_ORPHANS,
        ORPHANS_REMOVE,
        FLEET_DOCTOR,
        FLEET_BOARD,
        FLEET_BACKUP,
        FLEET_UPDATES,
        ACCESS_GRANT,
        ACCESS_REVOKE,
        ACCESS_LIST,
        ACCESS_TEST,
        ACCESS_WEB,
        ACCESS_SESSIONS,
        TOKEN_CREATE,
        TOKEN_LIST,
        TOKEN_REVOKE,
        WEBHOOK_ADD,
        WEBHOOK_LIST,
        WEBHOOK_TEST,
        WEBHOOK_REPLAY,
        WEBHOOK_REMOVE,
        EDGE_STATUS,
        EDGE_DEPLOY,
        EDGE_ROLLBACK,
        INCIDENT_LIST,
        INCIDENT_ACKNOWLEDGE,
        INCIDENT_MUTE,
        ALERTS_LIST,
        ALERTS_OWN,
        ALERTS_GIVE,
        DIGEST_OWN,
        DIGEST_CHANNEL,
        HELP,
    )
}
