"""A bot's own actions: run one, after a form if it must be told something.

The form must be the first answer, so everything before it comes from memory. The role that an
action needs is in its template; the use-case checks it.
"""

from __future__ import annotations

from collections.abc import Mapping

from controller.chat.forms import modals
from controller.chat.forms.drafts import Drafts
from controller.chat.languages import say, told
from controller.chat.requests.buttons import button, row
from controller.chat.requests.custom_ids import key_in, named_by, short
from controller.chat.requests.request import Request
from controller.chat.requests.selects import Option, select
from controller.chat.words.failures import NOTHING_DONE, failure_words
from controller.chat.words.limits import MESSAGE_MAX
from controller.chat.words.text import code_block, newest_fitting, plain, text_file
from controller.domain.acts import BOT_DO
from controller.domain.bot import Bot
from controller.domain.errors import NotReady
from controller.manager import Manager
from controller.manager.actions import ActionResult


class ActionForm:
    """Runs actions, for `/bot do` and for a submitted form."""

    def __init__(self, manager: Manager, drafts: Drafts) -> None:
        self._actions = manager.actions
        self._access = manager.access
        self._drafts = drafts

    async def begin(self, request: Request, bot: Bot, name: str) -> None:
        """Run an action, or ask first for what it must be told."""
        action = await self._actions.admit(request.caller, bot, name)
        if not action.args:
            await self._run(request, bot, name, {})
            return
        page = ("do", bot.id, short(name))
        typed = self._drafts.read(request.person, page)
        boxes = (modals.box_of(arg, typed.get(arg.name, arg.default)) for arg in action.args)
        await request.open_modal(modals.modal(told(action.title), page, boxes))

    async def offer(self, request: Request, bot: Bot) -> None:
        """Show the actions that this person may run, to pick one."""
        await self._access.require(request.caller, BOT_DO, bot)
        allowed = self._actions.allowed(request.caller, bot)
        if not allowed:
            raise NotReady(_none(bot, self._actions.available(bot)), code="nothing-to-ask")
        options = [
            Option(
                told(action.title),
                ("do", bot.id, short(name)),
                say("Needs the role {role}", role=told(str(action.role))),
            )
            for name, action in allowed.items()
        ]
        await request.reply(
            say("**{name}** — what should it do?", name=bot.name),
            view=row([select(say("Actions"), bot.id, options)]),
        )

    async def open_again(self, request: Request, bot: Bot) -> None:
        """Ask again, with what was typed before."""
        name = named_by(key_in(request.arguments), self._actions.available(bot))
        await self.begin(request, bot, name)

    async def submit(self, request: Request, bot: Bot) -> None:
        """Run an action with what was typed."""
        key = key_in(request.arguments)
        name = named_by(key, self._actions.available(bot))
        values = modals.values_of(request.interaction)
        page = ("do", bot.id, short(name))
        try:
            await self._run(request, bot, name, values)
        except NOTHING_DONE as error:
            action = self._actions.available(bot).get(name)
            self._drafts.keep(request.person, page, action.args if action else (), values)
            again = row([button(say("Open the form again"), *page)])
            await request.reply(failure_words(error), view=again)
        else:
            self._drafts.drop(request.person, page)

    async def _run(self, request: Request, bot: Bot, name: str, values: Mapping[str, str]) -> None:
        await request.acknowledge()
        done = await self._actions.run(request.caller, bot, name, values)
        text, fits = result_words(done, bot.name)
        output = done.text + "\n"
        await request.reply(
            text,
            make_file=None if fits else lambda: text_file(output, f"{bot.name}-{name}.txt"),
            # Given later, the answer may be in the channel, where others read it.
            later=_head(done, bot.name) + "\n" + say("Its output isn't repeated here."),
        )


def _none(bot: Bot, available: Mapping[str, object]) -> str:
    if available:
        return say("{name} has actions, but none that your role may run.", name=bot.name)
    return say(
        "{name} has no actions: its template {template} names none.",
        name=bot.name,
        template=bot.template,
    )


def result_words(done: ActionResult, name: str) -> tuple[str, bool]:
    """What an action did, as a message, and whether all of its output fitted."""
    head = _head(done, name)
    if not done.text.strip():
        return f"{head}\n{say('It printed nothing.')}", True
    kept, fits = newest_fitting(done.text.split("\n"), MESSAGE_MAX - len(head) - 60)
    if not fits:
        head += "; " + say("the end of its output, all of it in the file")
    return head + "\n" + code_block("\n".join(kept)), fits


def _head(done: ActionResult, name: str) -> str:
    """How an action ended, without its output."""
    sign, code = (
        ("❌", f" ({say('exit {exit_code}', exit_code=done.exit_code)})")
        if done.exit_code
        else ("✅", "")
    )
    return f"{sign} **{name}** — {plain(told(done.title))}{code}"
