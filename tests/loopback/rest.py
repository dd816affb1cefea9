"""The routes of the REST side, each a few lines over the world.
Next door: wire.py serves a request, messages.py and callbacks.py do the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from . import callbacks, checks, messages
from .errors import ApiError, Json, unknown
from .invocation import Invocation
from .wire import PREFIX, Call, Handler, Wire
from .world import Channel, Member

if TYPE_CHECKING:
    from .server import LoopbackDiscord


class Rest:
    """What Discord answers, route by route."""

    def __init__(self, world: LoopbackDiscord) -> None:
        self.world = world

    def application(self) -> web.Application:
        wire = Wire(self.world)
        app = web.Application(client_max_size=1 << 26)
        app.router.add_get("/gateway", self.world.gateway.handle)
        app.router.add_get(r"/attachments/{id:\d+}/{name}", self.download)
        for method, path, handler in self.routes():
            app.router.add_route(method, PREFIX + path, wire.served(handler))
        app.router.add_route("*", "/{tail:.*}", wire.served(self.nowhere))
        return app

    async def nowhere(self, call: Call) -> Json:
        self.world.unknown_requests.append(call.record)
        raise ApiError(404, 0, "404: Not Found")

    def routes(self) -> list[tuple[str, str, Handler]]:
        guild, channel = r"/guilds/{guild:\d+}", r"/channels/{channel:\d+}"
        message = channel + r"/messages/{message:\d+}"
        application = r"/applications/{application:\d+}"
        webhook = r"/webhooks/{application:\d+}/{token}"
        answer = webhook + r"/messages/{message:@original|\d+}"
        return [
            ("GET", "/gateway", self.gateway),
            ("GET", "/gateway/bot", self.gateway),
            ("GET", "/users/@me", self.me),
            ("GET", "/users/@me/guilds", self.servers),
            ("POST", "/users/@me/channels", self.open_dm),
            ("GET", r"/users/{user:\d+}", self.user),
            ("GET", "/oauth2/applications/@me", self.application_info),
            ("GET", "/applications/@me", self.application_info),
            ("GET", application, self.application_info),
            ("GET", application + "/commands", self.commands),
            ("PUT", application + "/commands", self.put_commands),
            ("GET", application + guild + "/commands", self.commands),
            ("PUT", application + guild + "/commands", self.put_commands),
            ("GET", guild, self.guild),
            ("GET", guild + "/roles", self.roles),
            ("GET", guild + "/channels", self.channels),
            ("GET", guild + "/members", self.members),
            ("GET", guild + r"/members/{user:@me|\d+}", self.member),
            ("PATCH", guild + "/members/@me", self.member),
            ("GET", channel, self.channel),
            ("POST", channel + "/typing", self.typing),
            ("GET", channel + "/messages", self.list_messages),
            ("POST", channel + "/messages", self.post_message),
            ("GET", message, self.get_message),
            ("PATCH", message, self.edit_message),
            ("DELETE", message, self.delete_message),
            ("POST", r"/interactions/{interaction:\d+}/{token}/callback", self.callback),
            ("POST", webhook, self.follow_up),
            ("GET", answer, self.get_answer),
            ("PATCH", answer, self.edit_answer),
            ("DELETE", answer, self.delete_answer),
        ]

    # Who and where.

    async def gateway(self, call: Call) -> Json:
        limit = {"total": 1000, "remaining": 999, "reset_after": 0, "max_concurrency": 1}
        return {"url": self.world.gateway_url, "shards": 1, "session_start_limit": limit}

    async def me(self, call: Call) -> Json:
        return self.world.guild.bot.json() | {"verified": True, "mfa_enabled": False, "flags": 0}

    async def servers(self, call: Call) -> list[Json]:
        world = self.world
        named = ({world.guild_id: world.guild.name} if world.invited else {}) | world.other_servers
        after, limit = int(call.query.get("after", 0)), int(call.query.get("limit", 200))
        later = sorted(found for found in named if found > after)
        return [
            {
                "id": str(found),
                "name": named[found],
                "icon": None,
                "banner": None,
                "owner": False,
                "permissions": "0",
                "features": [],
            }
            for found in later[:limit]
        ]

    async def application_info(self, call: Call) -> Json:
        self._own_application(call)
        return self.world.application_json()

    async def user(self, call: Call) -> Json:
        return self._member(call).user.json()

    async def open_dm(self, call: Call) -> Json:
        member = self.world.guild.members.get(int(call.body["recipient_id"]))
        if member is None or member.user.bot:
            raise ApiError(400, 50033, "Invalid Recipient(s)")
        return self.world.guild.dm_with(member.user).json()

    async def guild(self, call: Call) -> Json:
        self._own_guild(call)
        return self.world.guild.json()

    async def roles(self, call: Call) -> list[Json]:
        self._own_guild(call)
        return [role.json() for role in self.world.guild.roles.values()]

    async def channels(self, call: Call) -> list[Json]:
        self._own_guild(call)
        return [c.json() for c in self.world.guild.channels.values() if not c.is_dm]

    async def members(self, call: Call) -> list[Json]:
        self._own_guild(call)
        limit, after = int(call.query.get("limit", 1)), int(call.query.get("after", 0))
        later = [m for m in self.world.guild.members.values() if m.user.id > after]
        return [m.json() for m in sorted(later, key=lambda m: m.user.id)[:limit]]

    async def member(self, call: Call) -> Json:
        self._own_guild(call)
        return self._member(call).json()

    async def channel(self, call: Call) -> Json:
        return self._channel(call).json()

    # Commands.

    async def commands(self, call: Call) -> list[Json]:
        self._own_application(call)
        if "guild" not in call.names:
            return self.world.global_commands
        self._own_guild(call)
        return self.world.commands

    async def put_commands(self, call: Call) -> list[Json]:
        self._own_application(call)
        in_guild = "guild" in call.names
        if in_guild:
            self._own_guild(call)
        checks.commands(call.body)
        return self.world.sync_commands(call.body, in_guild)

    # Messages.

    async def typing(self, call: Call) -> None:
        self._channel(call)

    async def list_messages(self, call: Call) -> list[Json]:
        found = self.world.guild.visible(self._channel(call).id)
        limit = int(call.query.get("limit", 50))
        if "after" in call.query:
            return [m.json() for m in found if m.id > int(call.query["after"])][:limit][::-1]
        if "before" in call.query:
            found = [m for m in found if m.id < int(call.query["before"])]
        return [m.json() for m in found[::-1][:limit]]

    async def post_message(self, call: Call) -> Json:
        channel, body = self._channel(call), call.body
        person = self.world.person_of(channel.recipient)
        if person is not None and person.dm_closed:
            raise ApiError(403, 50007, "Cannot send messages to this user")
        if body.get("enforce_nonce"):
            for earlier in self.world.guild.visible(channel.id)[-20:]:
                if earlier.nonce == body.get("nonce"):
                    return earlier.json()
        return messages.create(self.world, channel.id, body, call.files).json()

    async def get_message(self, call: Call) -> Json:
        return self.world.guild.message(*call.ids("channel", "message")).json()

    async def edit_message(self, call: Call) -> Json:
        message = self.world.guild.message(*call.ids("channel", "message"))
        if message.author is not self.world.guild.bot:
            raise ApiError(403, 50005, "Cannot edit a message authored by another user")
        return messages.edit(self.world, message, call.body, call.files).json()

    async def delete_message(self, call: Call) -> None:
        message = self.world.guild.message(*call.ids("channel", "message"))
        messages.delete(self.world, message)

    async def download(self, request: web.Request) -> web.Response:
        stored = self.world.files.get(int(request.match_info["id"]))
        if stored is None:
            raise web.HTTPNotFound
        return web.Response(body=stored.data, content_type="application/octet-stream")

    # Interactions.

    async def callback(self, call: Call) -> Json | None:
        (interaction_id,) = call.ids("interaction")
        token = call.names["token"]
        inv = callbacks.find_interaction(self.world, interaction_id, token)
        made = callbacks.first_answer(self.world, inv, call.body, call.files)
        return made if call.query.get("with_response") in ("1", "true") else None

    async def follow_up(self, call: Call) -> Json:
        inv = self._webhook(call)
        return callbacks.follow_up(self.world, inv, call.body, call.files).json()

    async def get_answer(self, call: Call) -> Json:
        return callbacks.owned_message(self._webhook(call), call.names["message"]).json()

    async def edit_answer(self, call: Call) -> Json:
        name = call.names["message"]
        message = callbacks.owned_message(self._webhook(call), name)
        return messages.edit(self.world, message, call.body, call.files).json()

    async def delete_answer(self, call: Call) -> None:
        name = call.names["message"]
        messages.delete(self.world, callbacks.owned_message(self._webhook(call), name))

    # What a path names.

    def _webhook(self, call: Call) -> Invocation:
        (application_id,) = call.ids("application")
        return callbacks.find_webhook(self.world, application_id, call.names["token"])

    def _channel(self, call: Call) -> Channel:
        return self.world.guild.channel(*call.ids("channel"))

    def _member(self, call: Call) -> Member:
        name = call.names.get("user", "@me")
        wanted = self.world.bot_user_id if name == "@me" else int(name)
        if wanted not in self.world.guild.members:
            raise unknown("Member", 10007)
        return self.world.guild.members[wanted]

    def _own_guild(self, call: Call) -> None:
        if call.ids("guild") != [self.world.guild_id] or not self.world.invited:
            raise unknown("Guild", 10004)

    def _own_application(self, call: Call) -> None:
        named = call.names.get("application")
        if named is not None and int(named) != self.world.application_id:
            raise unknown("Application", 10002)
