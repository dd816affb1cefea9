"""Changing a bot's plain settings after it was created, and what becomes of them.

Secrets have their own way in, next door in `credentials`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from controller.catalog import FieldSpec, Template, rendered_files, seed_files, tidy
from controller.domain.acts import BOT_EDIT
from controller.domain.bot import Bot, Wish
from controller.domain.bot_limits import LIMITS, Ceiling, checked_limits, with_limits
from controller.domain.errors import BadInput, Conflict, NotFound, NotReady
from controller.domain.run import PRESENT
from controller.fleet.blueprint import Blueprints
from controller.fleet.journal import Caller, Journal
from controller.fleet.views import Fleet, View
from controller.fleet.wishes import Wishes
from controller.manager.access import Access
from controller.manager.submission import Sequel


@dataclass(frozen=True, slots=True)
class Edited:
    """What a change of settings did."""

    changed: tuple[str, ...]  # the names of the fields, in order
    sequel: Sequel
    reset: tuple[FieldSpec, ...] = ()  # fields that were emptied: back to their default
    kept_files: tuple[str, ...] = ()  # files in the bot's volume that stay as they are


class Edits:
    """The use-case: which fields a bot has, and taking new values for some of them."""

    def __init__(
        self,
        *,
        fleet: Fleet,
        wishes: Wishes,
        blueprints: Blueprints,
        journal: Journal,
        access: Access,
        ceiling: Ceiling,
    ) -> None:
        self._fleet = fleet
        self._wishes = wishes
        self._blueprints = blueprints
        self._journal = journal
        self._access = access
        self._ceiling = ceiling

    def fields(self, bot: Bot) -> tuple[FieldSpec, ...]:
        """All fields of the bot; none when it has none, or its template is gone."""
        template = self._blueprints.known(bot)
        return template.fields_for(bot.provider, bot.channel) if template else ()

    async def open(self, caller: Caller, bot: Bot) -> tuple[FieldSpec, ...]:
        """The same for somebody who wants to change them."""
        await self._access.require(caller, BOT_EDIT, bot)
        return self.fields(bot)

    async def submit(
        self,
        caller: Caller,
        bot: Bot,
        names: Iterable[str],
        values: Mapping[str, str],
        expected: Mapping[str, str] | None = None,
    ) -> Edited:
        """Check and keep the values of the fields of these names.

        Raises BadInput that names each field and what is wrong with it; nothing is changed then.
        With `expected`, all fields as the caller saw them: Conflict (`changed-meanwhile`) when they
        are others now.
        """
        await self._access.require(caller, BOT_EDIT, bot)
        template = self._blueprints.template(bot)
        wanted = set(names)
        inputs = tuple(spec for spec in self.fields(bot) if spec.name in wanted)
        async with self._journal.request(caller, BOT_EDIT, bot) as deed:
            given = _checked(inputs, values)
            view = self._fleet.get(bot.id)
            before = _unless_removed(view.bot if view else None, bot)
            _unless_changed(before, expected)
            after = with_fields(before, given)
            changed = sorted(name for name in given if _of(after, name) != _of(before, name))
            deed.ended(changed=changed)
            if not changed:
                return Edited((), Sequel.NOTHING)
            # A bot that runs goes on while its secrets are unusable: a new run could not begin.
            # Owed to whichever run the next look finds, if any: one may begin before this is saved.
            owed = view is not None and not view.world.missing
            await self._wishes.change(
                bot.id,
                lambda now: _edited(_unless_changed(now, expected), bot, given, owed),
                deed.author,
                forgive=True,
            )
            return Edited(
                tuple(changed),
                _sequel(before, view),
                tuple(s for s in inputs if _of(before, s.name) and not _of(after, s.name)),
                _kept_files(template, before, after),
            )

    async def choose(
        self,
        caller: Caller,
        bot: Bot,
        *,
        provider: str | None = None,
        model: str | None = None,
        channel: str | None = None,
        limits: Mapping[str, str] = MappingProxyType({}),
    ) -> Edited:
        """Give the bot another model, provider or channel, or limits; what is left out stays.

        Another provider without a model gets its first one; an empty limit is the template's again.
        It restarts with the choice, as after a change of its settings. Raises BadInput for what
        can't be chosen, or what its settings don't fit. Secrets that it needs then and doesn't have
        are asked for by `/bot secrets`.
        """
        await self._access.require(caller, BOT_EDIT, bot)
        template = self._blueprints.template(bot)
        async with self._journal.request(caller, BOT_EDIT, bot) as deed:
            view = self._fleet.get(bot.id)
            before = _unless_removed(view.bot if view else None, bot)
            own = checked_limits(limits, ceiling_for(template, self._ceiling))

            def chosen(bot: Bot) -> Bot:
                found = _chosen(template, bot, provider, model, channel)
                return replace(found, limits=with_limits(found.limits, own))

            after = chosen(before)
            changed = _changed(before, after)
            deed.ended(changed=list(changed))
            if not changed:
                return Edited((), Sequel.NOTHING)
            owed = view is not None and not view.world.missing

            def edit(now: Bot) -> Bot:
                run = now.run.end(PRESENT) if owed else now.run
                return replace(chosen(_unless_removed(now, bot)), problem=None, run=run)

            await self._wishes.change(bot.id, edit, deed.author, forgive=True)
            return Edited(changed, _sequel(before, view))


def ceiling_for(template: Template, most: Ceiling) -> Ceiling:
    """The most that a bot of the template may get: what the template asks for is never too much."""
    usual = template.run.resources
    return Ceiling(
        memory=max(most.memory, usual.memory_bytes),
        cpus=max(most.cpus, usual.cpus),
        pids=max(most.pids, usual.pids),
    )


def _changed(before: Bot, after: Bot) -> tuple[str, ...]:
    """The names of what was chosen anew."""
    names = ("provider", "model", "channel")
    found = [name for name in names if getattr(after, name) != getattr(before, name)]
    found += [name for name in LIMITS if after.limits.get(name) != before.limits.get(name)]
    return tuple(found)


def _chosen(
    template: Template, bot: Bot, provider: str | None, model: str | None, channel: str | None
) -> Bot:
    """The bot with these choices, which its template has and its settings fit."""
    first = template.choose(provider or bot.provider, None, channel or bot.channel)
    kept = bot.model if first.provider == bot.provider else None
    choice = template.choose(first.provider, model or kept, first.channel)
    after = replace(bot, provider=choice.provider, model=choice.model, channel=choice.channel)
    rendered_files(template, after)
    return after


def with_fields(bot: Bot, given: Mapping[str, str]) -> Bot:
    """The bot with these fields; an empty value takes a field back to its default.

    Other fields stay, even those that the bot's template no longer knows.
    """
    fields = {**bot.fields, **given}
    return replace(bot, fields={name: value for name, value in fields.items() if value})


def new_fields(specs: Iterable[FieldSpec], values: Mapping[str, str]) -> dict[str, str]:
    """The fields of a new bot. BadInput for one that it doesn't have, or that can't be so."""
    specs = tuple(specs)
    known = [spec.name for spec in specs]
    strange = sorted(values.keys() - set(known))
    if strange:
        raise BadInput(
            f"There are no such settings: {', '.join(strange)[:200]}.",
            hint=f"There are these: {', '.join(known) or 'none'}.",
            code="bad-field",
        )
    return {name: value for name, value in _checked(specs, values).items() if value}


def _checked(inputs: Iterable[FieldSpec], values: Mapping[str, str]) -> dict[str, str]:
    given: dict[str, str] = {}
    wrong: list[BadInput] = []
    for spec in inputs:
        if spec.name not in values:
            continue  # not shown, so left as it is
        value = tidy(spec, values[spec.name])
        try:
            spec.check(value or spec.default)
        except BadInput as error:
            wrong.append(error)
        else:
            given[spec.name] = value
    if wrong:
        raise BadInput(
            "\n".join(error.message for error in wrong),
            hint=" ".join(dict.fromkeys(error.hint for error in wrong if error.hint)),
            code="bad-field",
            inputs={name: words for error in wrong for name, words in error.inputs.items()},
        )
    return given


def _unless_removed(now: Bot | None, bot: Bot) -> Bot:
    if now is None:
        raise NotFound(f"{bot.name} is gone.", code="no-such-bot")
    if now.wish is Wish.REMOVE:
        raise NotReady(f"{now.name} is being removed.", code="being-removed")
    return now


def _unless_changed(now: Bot, expected: Mapping[str, str] | None) -> Bot:
    if expected is not None and now.fields != expected:
        raise Conflict(
            f"Somebody else changed the settings of {now.name} meanwhile.",
            hint="Read them again, then decide.",
            code="changed-meanwhile",
        )
    return now


def _edited(now: Bot, bot: Bot, given: Mapping[str, str], owed: bool) -> Bot:
    now = with_fields(_unless_removed(now, bot), given)
    return replace(now, problem=None, run=now.run.end(PRESENT) if owed else now.run)


def _runs(view: View | None) -> bool:
    return view is not None and view.may_run


def _of(bot: Bot, name: str) -> str:
    return bot.fields.get(name, "")


def _sequel(bot: Bot, view: View | None) -> Sequel:
    if bot.wish is Wish.STOP:
        return Sequel.STOPPED
    if view is not None and view.world.missing:
        return Sequel.LATER if _runs(view) else Sequel.WAITS
    return Sequel.RESTARTS if _runs(view) else Sequel.STARTS


def _kept_files(template: Template, before: Bot, after: Bot) -> tuple[str, ...]:
    """Files that are put into the bot's volume once: they don't change with their field."""
    try:
        old = {seed.path: seed.text for seed in seed_files(template, before)}
        new = {seed.path: seed for seed in seed_files(template, after)}
    except BadInput:  # a field no longer fits: it was just fixed, or has yet to be
        return ()
    if not after.image:
        return ()  # nothing was put there yet
    return tuple(
        path
        for path, text in old.items()
        if path not in new or (new[path].keep and new[path].text != text)
    )
