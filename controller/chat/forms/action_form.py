"""A bot's own actions: run one, after a form if it must be told something.

The form must be the first answer, so everything before it comes from memory. The role that an
action needs is in its template; the use-case checks it.
"""

from __future__ import annotations

from collections.abc import Mapping

from controller.chat.forms import modals
from controller.chat.requests.addresses import key_in, meant, short
from controller.chat.requests.request import Request
from controller.chat.words.limits import MESSAGE_MAX
from controller.chat.words.text import code_block, newest_fitting, plain, text_file
from controller.domain.bot import Bot
from controller.manager import Manager
from controller.manager.actions import ActionResult


class ActionForm:
    """Runs actions, for `/bot do` and for a submitted form."""

    def __init__(self, manager: Manager) -> None:
        self._actions = manager.actions

    async def begin(self, request: Request, bot: Bot, name: str) -> None:
        """Run an action, or ask first for what it must be told."""
        action = await self._actions.admit(request.caller, bot, name)
        if not action.args:
            await self._run(request, bot, name, {})
            return
        boxes = (modals.box_of(arg, arg.default) for arg in action.args)
        await request.open_modal(modals.modal(action.title, ("do", bot.id, short(name)), boxes))

    async def submit(self, request: Request, bot: Bot) -> None:
        """Run an action with what was typed."""
        key = key_in(request.arguments)
        name = meant(key, self._actions.available(bot))
        values = modals.values_of(request.interaction)
        await self._run(request, bot, name, values)

    async def _run(self, request: Request, bot: Bot, name: str, values: Mapping[str, str]) -> None:
        await request.acknowledge()
        done = await self._actions.run(request.caller, bot, name, values)
        text, fits = result_words(done, bot.name)
        output = done.text + "\n"
        await request.reply(
            text,
            make_file=None if fits else lambda: text_file(output, f"{bot.name}-{name}.txt"),
            # Given later, the answer may be in the channel, where others read it.
            later=f"{_head(done, bot.name)}\nIts output isn't repeated here.",
        )


def result_words(done: ActionResult, name: str) -> tuple[str, bool]:
    """What an action did, as a message, and whether all of its output fitted."""
    head = _head(done, name)
    if not done.text.strip():
        return f"{head}\nIt printed nothing.", True
    kept, fits = newest_fitting(done.text.split("\n"), MESSAGE_MAX - len(head) - 60)
    if not fits:
        head += "; the end of its output, all of it in the file"
    return head + "\n" + code_block("\n".join(kept)), fits


def _head(done: ActionResult, name: str) -> str:
    """How an action ended, without its output."""
    sign, code = ("❌", f" (exit {done.exit_code})") if done.exit_code else ("✅", "")
    return f"{sign} **{name}** — {plain(done.title)}{code}"
