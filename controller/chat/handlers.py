"""What each button and form does, by the name of its way. Its act is in `requests/ways`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from controller.chat.commands.rooms import Rooms
from controller.chat.requests.request import Request
from controller.chat.requests.router import Handler
from controller.domain.batches import Verb
from controller.domain.bot import Bot
from controller.manager import Manager


def handlers_of(rooms: Rooms, manager: Manager) -> dict[str, Handler]:
    """The handler of every button and every form."""

    def bot(handler: Callable[[Request, Bot], Awaitable[None]]) -> Handler:
        async def handle(request: Request) -> None:
            await handler(request, await _bot_of(request, manager))

        return handle

    def many(handler: Callable[[Request, Verb], Awaitable[None]], verb: Verb) -> Handler:
        return lambda request: handler(request, verb)

    return {
        **{f"button pick{verb}": many(rooms.many.pick, verb) for verb in Verb},
        **{f"button many{verb}": many(rooms.many.confirm, verb) for verb in Verb},
        **{f"button halt{verb}": many(rooms.many.cancel, verb) for verb in Verb},
        "button logs": bot(rooms.logs.show),
        "button older": bot(rooms.logs.older),
        "button newer": bot(rooms.logs.newer),
        "button refresh": bot(rooms.logs.refresh),
        "button file": bot(rooms.logs.file),
        "button preset": bot(rooms.logs.preset),
        "button follow": bot(rooms.following.begin),
        "button hold": bot(rooms.following.pause),
        "button unfollow": bot(rooms.following.stop),
        "button start": bot(rooms.power.start),
        "button stop": bot(rooms.power.stop),
        "button restart": bot(rooms.power.restart),
        "button delete": bot(rooms.power.delete),
        "button update": bot(rooms.updates.update),
        "button goback": bot(rooms.updates.go_back),
        "button snapshots": bot(rooms.snapshots.show),
        "button askrestore": bot(rooms.snapshots.ask),
        "button restore": bot(rooms.snapshots.restore),
        "button askclone": bot(rooms.copies.ask),
        "button acknowledge": rooms.incidents.acknowledge,
        "button mute": rooms.incidents.mute,
        "button create": rooms.creation.open,
        "button choose": rooms.guide.choose,
        "button make": rooms.guide.create,
        "button secrets": bot(rooms.secrets.open_from_card),
        "button form": rooms.secrets.open_page,
        "button past": bot(rooms.past.turn),
        "button fleetpast": rooms.past.turn_everything,
        "button updates": rooms.fleet_updates.approve,
        "button clear": rooms.orphans.remove,
        "button everyone": rooms.grants.give,
        "button edit": bot(rooms.settings.open),
        "button restored": rooms.many.restored,
        "button status": rooms.fleet.status_again,
        "button doctor": rooms.fleet.doctor_again,
        "button list": rooms.bot_list.turn,
        "button relist": rooms.bot_list.turn,
        "button listfile": rooms.bot_list.file,
        "button show": bot(rooms.looks.show),
        "button rotate": bot(rooms.secrets.offer_from_card),
        "button settings": bot(rooms.settings.choose),
        "button actions": bot(rooms.actions.offer),
        "button do": bot(rooms.actions.open_again),
        "button history": bot(rooms.past.show),
        "button releases": bot(rooms.updates.releases),
        "button rollback": bot(rooms.updates.rollback_picked),
        "button askdelete": bot(rooms.power.ask_delete),
        "modal clone": bot(rooms.copies.submit),
        "modal create": rooms.creation.submit,
        "modal do": bot(rooms.actions.submit),
        "modal edit": bot(rooms.settings.submit),
        "modal form": rooms.secrets.submit,
    }


async def _bot_of(request: Request, manager: Manager) -> Bot:
    """The bot that a custom id names, for somebody who may do this to it."""
    assert request.way is not None
    view = await manager.bots.known(request.caller, request.way.act, request.arguments[0])
    request.is_about(view.bot)
    return view.bot
