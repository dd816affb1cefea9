"""What answers requests, whichever way they come: commands, buttons, picks and forms."""

from __future__ import annotations

from dataclasses import dataclass

from controller.chat.batches.choosing import Choosing
from controller.chat.commands.bot_list import BotList
from controller.chat.commands.copy_commands import Copies
from controller.chat.commands.everyone import Grants
from controller.chat.commands.fleet_looks import FleetLooks
from controller.chat.commands.looks import Looks
from controller.chat.commands.orphan_looks import OrphanLooks
from controller.chat.commands.power import Power
from controller.chat.commands.release_commands import Updates
from controller.chat.commands.snapshot_commands import SnapshotRoom
from controller.chat.commands.update_commands import FleetUpdates
from controller.chat.forms.action_form import ActionForm
from controller.chat.forms.create_form import CreateForm
from controller.chat.forms.drafts import Drafts
from controller.chat.forms.guided_form import GuidedForm
from controller.chat.forms.secrets_form import FormsOffered, SecretsForm
from controller.chat.forms.settings_form import SettingsForm
from controller.chat.incidents.incident_buttons import IncidentPresses
from controller.chat.logs.followed_logs import LogFollowing
from controller.chat.logs.history_pages import HistoryPages
from controller.chat.logs.log_answers import LogAnswers
from controller.manager import Manager


@dataclass(frozen=True, slots=True)
class Rooms:
    """What answers requests, whichever way they come."""

    power: Power
    looks: Looks
    fleet: FleetLooks
    bot_list: BotList
    updates: Updates
    snapshots: SnapshotRoom
    copies: Copies
    fleet_updates: FleetUpdates
    creation: CreateForm
    guide: GuidedForm
    secrets: SecretsForm
    settings: SettingsForm
    actions: ActionForm
    logs: LogAnswers
    grants: Grants
    past: HistoryPages
    incidents: IncidentPresses
    many: Choosing
    following: LogFollowing
    orphans: OrphanLooks


def rooms_of(manager: Manager, guild_id: int, forms: FormsOffered = "both") -> Rooms:
    """All of them, for one manager and one server."""
    drafts = Drafts()
    settings = SettingsForm(manager, drafts)
    secrets = SecretsForm(manager, settings, drafts, forms)
    logs = LogAnswers(manager)
    return Rooms(
        power=Power(manager),
        looks=Looks(manager),
        fleet=FleetLooks(manager),
        bot_list=BotList(manager),
        updates=Updates(manager),
        snapshots=SnapshotRoom(manager),
        copies=Copies(manager, secrets),
        fleet_updates=FleetUpdates(manager),
        creation=CreateForm(manager, secrets, drafts),
        guide=GuidedForm(manager, secrets),
        secrets=secrets,
        settings=settings,
        actions=ActionForm(manager, drafts),
        logs=logs,
        grants=Grants(manager, guild_id),
        past=HistoryPages(manager),
        incidents=IncidentPresses(manager),
        many=Choosing(manager),
        following=LogFollowing(manager, logs),
        orphans=OrphanLooks(manager),
    )
