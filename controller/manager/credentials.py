"""Secrets on their one way in: a form for one person, checked values, the bot's own folder."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from controller.catalog import FieldSpec, SecretSpec, Template
from controller.domain.bot import PRESENT, Bot, Wish
from controller.domain.errors import BadInput, ControllerError, Denied, NotFound, NotReady
from controller.domain.observation import Observation
from controller.manager.audit import Asker, Audit
from controller.manager.blueprint import Blueprints
from controller.manager.disk import Disk
from controller.manager.fleet import Fleet
from controller.manager.verdicts import Said, notes_of, verdicts
from controller.manager.wishes import Wishes
from controller.services import LiveChecks
from controller.store import Form, Store
from controller.vault import Fingerprints, Redactor, Vault

FORM_SECONDS = 86_400.0  # a day: a DM may be read late; the right still ends
INPUTS_A_STEP = 5  # Discord's limit for a modal

Input = SecretSpec | FieldSpec


@dataclass(frozen=True, slots=True)
class FormPage:
    """One modal: which bot, which inputs, and where in the form it stands."""

    form: Form
    bot: Bot
    step: int  # from 0
    steps: int
    inputs: tuple[Input, ...]
    kept: frozenset[str] = frozenset()  # secrets that are stored already: left empty they stay


@dataclass(frozen=True, slots=True)
class Submitted:
    """What a submit did: a fingerprint a secret, and what is still wanted."""

    bot: Bot
    fingerprints: Mapping[str, str]
    next_step: int | None  # the step to open next, or None when the form is complete
    then: str = ""  # what becomes of the bot now, in words
    notes: tuple[str, ...] = ()  # what the services said of the values


def pages(template: Template, bot: Bot) -> tuple[tuple[Input, ...], ...]:
    """The inputs of a form, in pages: without fields for later, those of several lines alone. The
    last page completes the secrets, so the bot starts with every field in place."""
    asked = tuple(s for s in template.secrets_for(bot.provider, bot.channel) if not s.generate)
    now = [field for field in template.fields_for(bot.provider, bot.channel) if not field.later]
    fields = tuple(field for field in now if not field.multiline)
    long = tuple((field,) for field in now if field.multiline)
    inputs: tuple[Input, ...] = (
        (*asked, *fields) if len(asked) + len(fields) <= INPUTS_A_STEP else (*fields, *asked)
    )
    steps = range(0, len(inputs), INPUTS_A_STEP)
    return (*long, *(inputs[at : at + INPUTS_A_STEP] for at in steps)) or ((),)


class Credentials:
    """Gives out forms and takes their values. A value is written at once and never kept."""

    def __init__(  # noqa: PLR0913 - a use-case over many parts
        self,
        *,
        store: Store,
        fleet: Fleet,
        wishes: Wishes,
        vault: Vault,
        blueprints: Blueprints,
        fingerprints: Fingerprints,
        redactor: Redactor,
        audit: Audit,
        disk: Disk,
        live: LiveChecks,
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._wishes = wishes
        self._vault = vault
        self._blueprints = blueprints
        self._fingerprints = fingerprints
        self._redactor = redactor
        self._audit = audit
        self._disk = disk
        self._live = live

    async def learn(self) -> None:
        """Teach the redactor the values that are on the disk. Once, at the start."""
        for view in self._fleet:
            values = await self._disk(partial(self._blueprints.secret_values, view.bot))
            self._redactor.learn(view.bot.id, values.values())

    async def open_form(self, asker: Asker, bot: Bot, *, rotate: bool) -> Form:
        """A fresh form for this person and bot."""
        form = Form(
            secrets.token_hex(12),
            bot.id,
            asker.person.user_id,
            rotate,
            time.time() + FORM_SECONDS,
        )
        await self._store.add_form(form)
        return form

    async def page(self, asker: Asker, form_id: str, step: int) -> FormPage:
        """The page of a form, for the person whose form it is. Fast: a modal cannot wait."""
        form, bot = await self._usable(asker, form_id)
        every = pages(self._blueprints.template(bot), bot)
        if not 0 <= step < len(every):
            raise NotFound("That form has no such page.", code="no-such-form")
        kept = await self._disk(lambda: self._kept(bot, every[step]))
        return FormPage(form, bot, step, len(every), every[step], kept)

    def _kept(self, bot: Bot, inputs: Iterable[Input]) -> frozenset[str]:
        """Which of these are stored and can be used. Blocking."""
        there = set(self._vault.names(bot.id))
        names = [item.name for item in inputs if isinstance(item, SecretSpec)]
        names = [name for name in names if name in there]
        owner = self._blueprints.owner(self._blueprints.template(bot))
        return frozenset(names) - set(self._vault.check(bot.id, names, owner) if names else ())

    async def submit(
        self, asker: Asker, form_id: str, step: int, values: Mapping[str, str]
    ) -> Submitted:
        """Check the values of one page, also with the services they are for; write them at once.

        Raises BadInput that names each input and what is wrong with it; nothing is written then.
        Where a service refused one value of a first form (`refused-secret`), the others are kept.
        """
        page = await self.page(asker, form_id, step)
        action = "secrets" if page.form.rotate else "enter secrets"
        async with self._audit.entry(asker, action, page.bot) as outcome:
            given, fields = _check(page, values)
            last = step == page.steps - 1
            alone = page.steps == 1  # of more pages an earlier one may have changed something
            if alone and page.form.rotate and not given and not _changed(page, fields):
                raise BadInput("Nothing was entered, so nothing was changed.", code="bad-secret")
            said = await verdicts(self._live, page.inputs, given)
            try:
                if any(verdict.state == "refused" for _, verdict in said):
                    raise await self._refused(page, given, fields, said)
                if last and not await self._store.use_form(form_id, time.time()):
                    raise _used()
                try:
                    if not page.form.rotate:  # first: with its last secret the bot may be made
                        await self._keep_fields(page, fields)
                    prints = await self._write(page.bot, given, complete=last)
                except ControllerError:
                    if last:
                        await self._store.reopen_form(form_id)
                    raise
                then = await self._apply(page, fields, given=bool(given), last=last)
            finally:
                if self._fleet.get(page.bot.id) is None:
                    # Removed meanwhile: what came too late must not outlive the bot.
                    await self._disk(lambda: self._blueprints.drop_files(page.bot.id))
                    self._redactor.forget(page.bot.id)
            outcome.text = f"wrote {', '.join(sorted(prints)) or 'no secret'}"
            next_step = None if last else step + 1
            return Submitted(page.bot, prints, next_step, then, notes_of(said))

    async def _refused(
        self, page: FormPage, given: Mapping[str, str], fields: Mapping[str, str], said: Said
    ) -> BadInput:
        """What to tell the person; the other values of a first form need not be typed again."""
        refused = {spec.name for spec, verdict in said if verdict.state == "refused"}
        good = {name: value for name, value in given.items() if name not in refused}
        words = [verdict.message for _, verdict in said if verdict.state == "refused"]
        view = self._fleet.get(page.bot.id)
        if page.form.rotate or (view is not None and view.world.container is not None):
            return BadInput(
                "\n".join([*words, "Nothing was changed."]),
                hint="Copy it again from where it was made, or make a new one there.",
                code="refused-secret",
            )
        prints = await self._write(page.bot, good, complete=False)
        await self._keep_fields(page, fields)
        labels = {item.name: item.label or item.name for item in page.inputs}
        words += [f"Kept: {labels[name]} `{print_}`." for name, print_ in prints.items()]
        return BadInput(
            "\n".join(words),
            hint="Open the form again: what was kept can be left empty there.",
            code="refused-secret",
        )

    async def _keep_fields(self, page: FormPage, fields: Mapping[str, str]) -> None:
        await self._wishes.change(
            page.bot.id, lambda now: replace(now, fields={**now.fields, **fields})
        )

    async def fingerprints_of(self, bot: Bot) -> Mapping[str, str]:
        """A fingerprint for every secret that is there."""
        values = await self._disk(lambda: self._blueprints.secret_values(bot))
        return {name: self._fingerprints(name, value) for name, value in values.items()}

    async def _usable(self, asker: Asker, form_id: str) -> tuple[Form, Bot]:
        form = await self._store.form(form_id)
        view = self._fleet.get(form.bot_id) if form else None
        if form is None or view is None or view.bot.wish is Wish.REMOVE:
            raise NotFound(
                "The bot of this form is gone.",
                hint="/bot list shows the bots there are.",
                code="no-such-bot",
            )
        if form.user_id != asker.person.user_id:
            raise Denied("This form is somebody else's.", hint="Ask for your own: /bot secrets.")
        if form.used_at is not None:
            raise _used()
        if form.expires_at < time.time():
            raise NotReady(
                "This form has expired.",
                hint=f"Get a new one: /bot secrets {view.bot.name}.",
                code="form-expired",
            )
        return form, view.bot

    async def _write(
        self, bot: Bot, given: Mapping[str, str], *, complete: bool
    ) -> Mapping[str, str]:
        template = self._blueprints.template(bot)
        owner = self._blueprints.owner(template)
        values = dict(given)
        if complete:
            values |= await self._disk(lambda: self._generate(template, bot))
        # Known to the redactor before anything can log or repeat it.
        kept = await self._disk(lambda: self._blueprints.secret_values(bot))
        self._redactor.learn(bot.id, {**kept, **values}.values())
        if values:
            await self._disk(lambda: self._vault.write(bot.id, values, owner))
        return {name: self._fingerprints(name, value) for name, value in given.items()}

    def _generate(self, template: Template, bot: Bot) -> dict[str, str]:
        """What is made here and is not there, or not in a state in which the bot can use it."""
        wanted = [s.name for s in template.secrets_for(bot.provider, bot.channel) if s.generate]
        there = set(self._vault.names(bot.id))
        unusable = self._vault.check(bot.id, wanted, self._blueprints.owner(template))
        return {n: secrets.token_hex(32) for n in wanted if n not in there or n in unusable}

    async def _apply(
        self, page: FormPage, fields: Mapping[str, str], *, given: bool, last: bool
    ) -> str:
        view = self._fleet.get(page.bot.id)
        container = view.world.container if view else None
        # Most programs read their keys once: new values mean a new run then.
        owed = last and container is not None
        owed = owed and (given or page.step > 0 or _changed(page, fields))
        reload = owed and container is not None and self._reloads(page, container, fields)
        if last:
            await self._store.clear_crashes(page.bot.id)
            self._fleet.crashed(page.bot.id, (), ())

        def edit(bot: Bot) -> Bot:
            bot = replace(bot, fields={**bot.fields, **fields})
            # A first form too may replace what a bot that ran already knew, and printed.
            if given and (page.form.rotate or container is not None):
                bot = replace(bot, log_floor=time.time())
            if not last:
                return bot
            bot = replace(bot, problem=None)
            if not owed:
                return bot
            return replace(bot, reload_run=PRESENT) if reload else replace(bot, ended_run=PRESENT)

        await self._wishes.change(page.bot.id, edit)
        if page.bot.wish is Wish.STOP:
            return "It is stopped; it reads them when it is started."
        if not owed or container is None or not container.state.active:
            return "It starts by itself."
        return "It reads them without a restart." if reload else "It restarts to read them."

    def _reloads(self, page: FormPage, container: Observation, fields: Mapping[str, str]) -> bool:
        """Whether secrets alone are replaced, in a bot that can read them while it runs."""
        earlier = pages(self._blueprints.template(page.bot), page.bot)[: page.step]
        secrets_alone = not _changed(page, fields) and all(
            isinstance(item, SecretSpec) for inputs in earlier for item in inputs
        )
        return page.form.rotate and secrets_alone and self._blueprints.reloads(page.bot, container)


def _used() -> NotReady:
    return NotReady(
        "This form was used already.",
        hint="To replace a value ask for a new form: /bot secrets.",
        code="form-used",
    )


def _changed(page: FormPage, fields: Mapping[str, str]) -> bool:
    """Whether a field differs from what it is: a form shows what is set, and sends it back."""
    specs = {item.name: item for item in page.inputs if isinstance(item, FieldSpec)}
    now = {name: page.bot.fields.get(name) or spec.default for name, spec in specs.items()}
    return any(now.get(name) != value for name, value in fields.items())


def _check(page: FormPage, values: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    given: dict[str, str] = {}
    fields: dict[str, str] = {}
    wrong: list[str] = []
    hints: list[str] = []
    for item in page.inputs:
        value = values.get(item.name, "")
        optional = page.form.rotate or not item.required or item.name in page.kept
        if not value and optional:
            continue
        try:
            item.check(value)
        except BadInput as error:
            wrong.append(error.message)
            hints.append(error.hint)
        else:
            (given if isinstance(item, SecretSpec) else fields)[item.name] = value
    if wrong:
        raise BadInput("\n".join(wrong), hint=" ".join(dict.fromkeys(hints)), code="bad-secret")
    return given, fields
