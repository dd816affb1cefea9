"""Changing a bot's plain settings after it was made: pages of fields, and what becomes of them.

Secrets have their own way in, next door in `credentials`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from controller.catalog import FieldSpec, Template, seed_files
from controller.domain.bot import PRESENT, Bot, Wish
from controller.domain.errors import BadInput, NotFound, NotReady
from controller.manager.audit import Asker, Audit
from controller.manager.blueprint import Blueprints
from controller.manager.fleet import Fleet, View
from controller.manager.wishes import Wishes
from controller.store import Store

INPUTS_A_PAGE = 5  # Discord's limit for a modal
TITLE_MAX = 45  # and for its title


@dataclass(frozen=True, slots=True)
class EditPage:
    """One modal of fields. `key` names it: "settings", "settings-2", or a long field's name."""

    key: str
    title: str
    inputs: tuple[FieldSpec, ...]


def edit_pages(template: Template, bot: Bot) -> tuple[EditPage, ...]:
    """All fields of such a bot in pages; one of several lines stands alone."""
    fields = template.fields_for(bot.provider, bot.channel)
    short = tuple(field for field in fields if not field.multiline)
    found: list[EditPage] = []
    for number, at in enumerate(range(0, len(short), INPUTS_A_PAGE), 1):
        more = "" if number == 1 else f"-{number}"
        title = "Settings" if number == 1 else f"Settings, page {number}"
        found.append(EditPage(f"settings{more}", title, short[at : at + INPUTS_A_PAGE]))
    taken = {page.key for page in found}
    for field in fields:
        if field.multiline:
            key = f"field-{field.name}" if field.name in taken else field.name
            found.append(EditPage(key, field.label[:TITLE_MAX], (field,)))
    return tuple(found)


class Edits:
    """The use-case: the pages of a bot, and taking one back."""

    def __init__(
        self,
        *,
        store: Store,
        fleet: Fleet,
        wishes: Wishes,
        blueprints: Blueprints,
        audit: Audit,
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._wishes = wishes
        self._blueprints = blueprints
        self._audit = audit

    def pages(self, bot: Bot) -> tuple[EditPage, ...]:
        """All fields of the bot in pages; none when it has no fields, or its template is gone."""
        template = self._blueprints.known(bot)
        return edit_pages(template, bot) if template else ()

    async def submit(self, asker: Asker, bot: Bot, key: str, values: Mapping[str, str]) -> str:
        """Check and keep the values of one page; what happens now, in words.

        Raises BadInput that names each field and what is wrong with it; nothing is changed then.
        """
        template = self._blueprints.template(bot)
        page = next((page for page in edit_pages(template, bot) if page.key == key), None)
        if page is None:
            raise NotFound(
                f"{bot.name} has no such page of settings.",
                hint="Open them anew with /bot edit.",
                code="no-such-page",
            )
        async with self._audit.entry(asker, "edit", bot) as outcome:
            given = _checked(page, values)
            view = self._fleet.get(bot.id)
            before = _unless_removed(view.bot if view else None, bot)
            after = with_fields(before, given)
            changed = sorted(name for name in given if _of(after, name) != _of(before, name))
            if not changed:
                outcome.text = "nothing changed"
                return "Nothing was changed."
            # A bot that runs goes on while its secrets are unusable: a new run could not begin.
            owed = view is not None and view.world.container is not None and not view.world.missing
            await self._store.clear_crashes(bot.id)
            self._fleet.crashed(bot.id, (), ())
            await self._wishes.change(bot.id, lambda now: _edited(now, bot, given, owed))
            outcome.text = f"changed {', '.join(changed)}"
            notes = (*_back_to_default(page, before, after), *_kept_files(template, before, after))
            return " ".join((_then(before, view), *notes))


def with_fields(bot: Bot, given: Mapping[str, str]) -> Bot:
    """The bot with these fields; an empty value takes a field back to its default. Others stay,
    also those that its template does not know any more."""
    fields = {**bot.fields, **given}
    return replace(bot, fields={name: value for name, value in fields.items() if value})


def _checked(page: EditPage, values: Mapping[str, str]) -> dict[str, str]:
    given: dict[str, str] = {}
    wrong: list[BadInput] = []
    for field in page.inputs:
        if field.name not in values:
            continue  # not shown: left as it is
        value = values[field.name].replace("\r\n", "\n")
        try:
            field.check(value or field.default)
        except BadInput as error:
            wrong.append(error)
        else:
            given[field.name] = value
    if wrong:
        raise BadInput(
            "\n".join(error.message for error in wrong),
            hint=" ".join(dict.fromkeys(error.hint for error in wrong)),
            code="bad-field",
        )
    return given


def _unless_removed(now: Bot | None, bot: Bot) -> Bot:
    if now is None:
        raise NotFound(f"{bot.name} is gone.", code="no-such-bot")
    if now.wish is Wish.REMOVE:
        raise NotReady(f"{now.name} is being removed.", code="being-removed")
    return now


def _edited(now: Bot, bot: Bot, given: Mapping[str, str], owed: bool) -> Bot:
    now = with_fields(_unless_removed(now, bot), given)
    return replace(now, problem=None, ended_run=PRESENT if owed else now.ended_run)


def _runs(view: View | None) -> bool:
    container = view.world.container if view else None
    return container is not None and container.state.active


def _of(bot: Bot, name: str) -> str:
    return bot.fields.get(name, "")


def _then(bot: Bot, view: View | None) -> str:
    if bot.wish is Wish.STOP:
        return "It is stopped; it takes them when it is started."
    if view is not None and view.world.missing and _runs(view):
        return "It takes them at its next start: some of its secrets cannot be used."
    if view is not None and view.world.missing:
        return "It takes them when it starts; it still waits for its secrets."
    return "It restarts with them." if _runs(view) else "It starts with them."


def _back_to_default(page: EditPage, before: Bot, after: Bot) -> tuple[str, ...]:
    emptied = (f for f in page.inputs if _of(before, f.name) and not _of(after, f.name))
    return tuple(
        f"{field.label} is back to its default, “{field.default}”."
        if field.default
        else f"{field.label} is not set any more."
        for field in emptied
    )


def _kept_files(template: Template, before: Bot, after: Bot) -> tuple[str, ...]:
    """A file that is laid into the bot's volume once does not change with its field."""
    try:
        old = {seed.path: seed.text for seed in seed_files(template, before)}
        new = {seed.path: seed for seed in seed_files(template, after)}
    except BadInput:  # a field does not fit any more: what is being mended, or has yet to be
        return ()
    if not after.image:
        return ()  # nothing was laid down yet
    stays = [
        path
        for path, text in old.items()
        if path not in new or (new[path].keep and new[path].text != text)
    ]
    return tuple(
        f"The file {path} is in the bot's folder already and stays as it is." for path in stays
    )
