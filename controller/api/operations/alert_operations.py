"""The operations on who is pinged by incidents."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from controller.api.operation import Answer, Call, Given, Nothing, Operation, Operations
from controller.api.operations.access_operations import ForBot, Kind, Snowflake
from controller.api.resources import BotName, Page, Resource
from controller.domain import acts
from controller.domain.acts import Act
from controller.domain.announcing import Alert, hours_of, hours_words, zone_of

Hours = Annotated[str, Field(max_length=40, description="When not, like 22:00-07:00.")]
Zone = Annotated[str, Field(max_length=64, description="The time zone of that.")]


class AlertOut(Resource):
    """Somebody who is pinged."""

    kind: Kind
    subject: str
    bot: BotName | None  # null: every bot, and BotMaker itself
    quiet: str  # with its time zone; empty: never quiet


class AlertIn(Given):
    """Whom to ping, and for what."""

    kind: Kind
    subject: Snowflake
    bot: Annotated[str, Field(max_length=64, description="A bot's name; none: all bots.")] = ""
    quiet: Hours = ""
    zone: Zone = "UTC"


class OwnAlertIn(Given):
    """For what to ping you."""

    bot: Annotated[str, Field(max_length=64, description="A bot's name; none: all bots.")] = ""
    quiet: Hours = ""
    zone: Zone = "UTC"


async def list_alerts(call: Call[Nothing, Nothing]) -> Answer:
    """Who is pinged, for the bots that you may see."""
    found = await call.manager.incidents.alerts(call.caller)
    return Answer(Page[AlertOut](items=[_alert_out(call, one) for one in found]))


async def give_alert(call: Call[Nothing, AlertIn]) -> Answer:
    """Ping somebody from now on."""
    given = call.body
    await call.manager.access.require(call.caller, acts.ALERTS_GIVE)
    bot_id = await _bot_id(call, acts.BOT_SHOW, given.bot)
    alert = _alert(given.kind, int(given.subject), bot_id, given.quiet, given.zone)
    await call.manager.incidents.give_alert(call.caller, alert, on=True)
    return Answer(_alert_out(call, alert))


async def drop_alert(call: Call[ForBot, Nothing]) -> Answer:
    """Ping them no longer."""
    await call.manager.access.require(call.caller, acts.ALERTS_GIVE)
    kind, subject = call.path["kind"], call.path["subject"]
    bot_id = await _bot_id(call, acts.BOT_SHOW, call.query.bot)
    known = subject.isascii() and subject.isdigit() and kind in {"user", "role"}
    number = int(subject) if known and int(subject) < 2**63 else 0  # 0: nobody's
    alert = _alert("role" if kind == "role" else "user", number, bot_id)
    await call.manager.incidents.give_alert(call.caller, alert, on=False)
    return Answer()


async def set_own_alert(call: Call[Nothing, OwnAlertIn]) -> Answer:
    """Ping you from now on: for whoever is signed in."""
    given = call.body
    await call.manager.access.require(call.caller, acts.ALERTS_OWN)
    bot_id = await _bot_id(call, acts.BOT_SHOW, given.bot)
    alert = _alert("user", _self(call), bot_id, given.quiet, given.zone)
    await call.manager.incidents.set_own_alert(call.caller, alert, on=True)
    return Answer(_alert_out(call, alert))


async def drop_own_alert(call: Call[ForBot, Nothing]) -> Answer:
    """Ping you no longer."""
    await call.manager.access.require(call.caller, acts.ALERTS_OWN)
    bot_id = await _bot_id(call, acts.BOT_SHOW, call.query.bot)
    await call.manager.incidents.set_own_alert(
        call.caller, _alert("user", _self(call), bot_id), on=False
    )
    return Answer()


_AnyCall = (Call[Nothing, AlertIn] | Call[Nothing, OwnAlertIn] | Call[ForBot, Nothing]) | Call[
    Nothing, Nothing
]


def _self(call: _AnyCall) -> int:
    """The caller's id in Discord; 0, which nobody has, for one who isn't a person there."""
    principal = call.caller.principal
    return int(principal.id) if principal.kind == "user" and principal.id.isdecimal() else 0


def _alert(kind: Kind, subject: int, bot_id: str, quiet: str = "", zone: str = "UTC") -> Alert:
    begins, ends = hours_of(quiet)
    return Alert(
        kind=kind,
        subject=subject,
        bot_id=bot_id,
        quiet_from=begins,
        quiet_to=ends,
        zone=zone_of(zone),
    )


async def _bot_id(call: _AnyCall, act: Act, name: str) -> str:
    if not name:
        return ""
    return (await call.manager.bots.named(call.caller, act, name)).bot.id


def _alert_out(call: _AnyCall, alert: Alert) -> AlertOut:
    view = call.manager.bots.get(alert.bot_id) if alert.bot_id else None
    return AlertOut(
        kind=alert.kind,
        subject=str(alert.subject),
        bot=BotName(id=view.bot.id, name=view.bot.name) if view else None,
        quiet=hours_words(alert),
    )


ALERT_OPERATIONS: Operations = (
    Operation(
        id="listAlerts",
        method="GET",
        path="/alerts",
        act=acts.ALERTS_LIST,
        summary="Who is pinged by incidents, for the bots that you may see.",
        query=Nothing,
        body=Nothing,
        answer=Page[AlertOut],
        handler=list_alerts,
    ),
    Operation(
        id="giveAlert",
        method="POST",
        path="/alerts",
        act=acts.ALERTS_GIVE,
        summary="Ping a person or a role from now on; an earlier wish for the same is replaced.",
        query=Nothing,
        body=AlertIn,
        answer=AlertOut,
        handler=give_alert,
    ),
    Operation(
        id="setOwnAlert",
        method="PUT",
        path="/alerts/me",
        act=acts.ALERTS_OWN,
        summary="Ping you from now on; for people who are signed in.",
        query=Nothing,
        body=OwnAlertIn,
        answer=AlertOut,
        handler=set_own_alert,
    ),
    Operation(
        id="dropOwnAlert",
        method="DELETE",
        path="/alerts/me",
        act=acts.ALERTS_OWN,
        summary="Ping you no longer.",
        query=ForBot,
        body=Nothing,
        answer=None,
        status=204,
        handler=drop_own_alert,
    ),
    Operation(
        id="dropAlert",
        method="DELETE",
        path="/alerts/{kind}/{subject}",
        act=acts.ALERTS_GIVE,
        summary="Ping a person or a role no longer.",
        query=ForBot,
        body=Nothing,
        answer=None,
        status=204,
        handler=drop_alert,
    ),
)
