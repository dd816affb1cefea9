"""Secrets on their one way in: a form for one person, checked values, the bot's own folder.

What a submit does is decided next door in `submission`, which is pure; here it is carried out.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

from controller.catalog import SecretSpec, Template
from controller.domain.acts import BOT_SECRETS, BOT_SHOW
from controller.domain.bot import Bot, Wish
from controller.domain.errors import BadInput, ControllerError, Denied, NotFound, NotReady
from controller.domain.journal import Author, Fact, Kind
from controller.domain.phase import Phase
from controller.domain.run import PRESENT
from controller.fleet.blueprint import Blueprints
from controller.fleet.journal import Caller, Deed, Journal
from controller.fleet.threads import Threads
from controller.fleet.views import Fleet
from controller.fleet.wishes import Wishes
from controller.loop.former_secrets import FormerSecrets
from controller.manager.access import Access
from controller.manager.resumption import Resumption, with_fields
from controller.manager.sealed_entry import SealedEntry
from controller.manager.single_use import SingleUse
from controller.manager.submission import (
    Given,
    Input,
    OpenForm,
    Plan,
    Sequel,
    changed_fields,
    check,
    decide,
    unanswered,
)
from controller.manager.verdicts import Said, notes_of, verdicts, wrong_inputs
from controller.services import LiveChecks
from controller.store import Form, Store
from controller.vault import Fingerprints, Redactor, Staged, Vault

FORM_SECONDS = 86_400.0  # a day: a DM may be read late, but the right has to end


@dataclass(frozen=True, slots=True)
class Submitted:
    """What a submit did: a fingerprint of each secret, and what happens now."""

    bot: Bot
    fingerprints: Mapping[str, str]
    complete: bool  # whether this was the last page
    sequel: Sequel = Sequel.NOTHING
    notes: tuple[str, ...] = ()  # what the services said about the values


@dataclass(frozen=True, slots=True)
class Stored:
    """A secret of a bot; without a fingerprint it doesn't exist yet."""

    name: str
    spec: SecretSpec | None  # None: its template knows it no longer
    fingerprint: str
    written_at: float  # seconds since the epoch; 0: unknown


class Credentials:
    """Gives out forms and takes their values. A value is written at once and never kept here."""

    def __init__(  # noqa: PLR0913 - a use-case over many parts
        self,
        *,
        store: Store,
        fleet: Fleet,
        wishes: Wishes,
        vault: Vault,
        blueprints: Blueprints,
        former: FormerSecrets,
        fingerprints: Fingerprints,
        redactor: Redactor,
        journal: Journal,
        access: Access,
        threads: Threads,
        live: LiveChecks,
        single_use: SingleUse,
        sealed: SealedEntry,
        engine_time: Callable[[], float],
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._wishes = wishes
        self._vault = vault
        self._blueprints = blueprints
        self._former = former
        self._fingerprints = fingerprints
        self._redactor = redactor
        self._journal = journal
        self._access = access
        self._threads = threads
        self._live = live
        self._single_use = single_use
        self.sealed = sealed
        self._engine_time = engine_time
        self._resumption = Resumption(
            store, fleet, wishes, blueprints, threads, former, self._write
        )

    async def open_form(self, caller: Caller, bot: Bot, *, rotate: bool) -> Form:
        """A fresh form for this person and bot."""
        await self._access.require(caller, BOT_SECRETS, bot)
        form = Form(
            secrets.token_hex(12),
            bot.id,
            _number(caller),
            rotate,
            time.time() + FORM_SECONDS,
        )
        async with self._store.transaction() as write:
            await write.add_form(form)
        return form

    async def form(self, caller: Caller, form_id: str) -> OpenForm:
        """A form to fill in, for the person whose form it is. Fast: a modal can't wait."""
        form, bot = await self._usable(caller, form_id)
        template = self._blueprints.template(bot)
        asked = (s for s in template.secrets_for(bot.provider, bot.channel) if not s.generate)
        fields = (f for f in template.fields_for(bot.provider, bot.channel) if not f.later)
        inputs: tuple[Input, ...] = (*asked, *fields)
        staged = await self._threads.secrets(lambda: self._blueprints.staging.read(bot.id, form_id))
        names = [spec.name for spec in inputs if isinstance(spec, SecretSpec)]
        stored = await self._threads.secrets(lambda: self._stored(bot, template, names))
        return OpenForm(form, bot, inputs, stored | frozenset(staged.secrets), staged)

    def _stored(self, bot: Bot, template: Template, names: Iterable[str]) -> frozenset[str]:
        """Which of these secrets exist and can be used. Blocking."""
        there = set(self._vault.names(bot.id))
        names = [name for name in names if name in there]
        owner = self._blueprints.owner(template)
        return frozenset(names) - set(self._vault.check(bot.id, names, owner) if names else ())

    async def submit(
        self,
        caller: Caller,
        form_id: str,
        names: Iterable[str],
        values: Mapping[str, str],
        *,
        last: bool,
        keep: bool = True,
    ) -> Submitted:
        """Take the values of one page, whose inputs have these names; write all with the `last`.

        Raises BadInput that names each input and what is wrong with it. What is right is kept for
        the form, if it is to `keep`, and need not be typed again; the bot isn't touched.
        """
        page = await self.form(caller, form_id)
        async with self._journal.request(caller, BOT_SECRETS, page.bot) as deed:
            try:
                given = self._checked(page, names, values)
                self._redactor.learn(page.bot.id, given.secrets.values())
                async with self._single_use.taken(page, given.secrets) as taken:
                    given = given.without(taken)
                    return await self._take(page, given, deed, last=last, keep=keep)
            finally:
                if self._fleet.get(page.bot.id) is None:
                    # Removed meanwhile: what came too late must not outlive the bot.
                    await self._threads.secrets(lambda: self._blueprints.drop_files(page.bot.id))
                    await self._former.drop(page.bot.id)
                    self._redactor.forget(page.bot.id)

    def _checked(self, page: OpenForm, names: Iterable[str], values: Mapping[str, str]) -> Given:
        found = self.sealed.open(page.inputs, values, page.bot)
        self._redactor.learn(page.bot.id, (seal.value for seal in found.seals.values()))
        names = [name for name in names if name not in found.wrong]
        given = check(page, names, found.values)
        return replace(given, wrong=(*found.wrong.values(), *given.wrong), seals=found.seals)

    async def put(self, caller: Caller, bot: Bot, values: Mapping[str, str]) -> Submitted:
        """Take secrets and fields at once, without a form that somebody fills in by and by.

        Raises BadInput as `submit` does, also for a name that the bot doesn't have; nothing of what
        was given is kept then.
        """
        view = self._fleet.get(bot.id)
        rotate = view is None or view.phase is not Phase.CREATED
        form = await self.open_form(caller, bot, rotate=rotate)
        page = await self.form(caller, form.id)
        strange = sorted(values.keys() - {spec.name for spec in page.inputs})
        if strange:
            known = ", ".join(spec.name for spec in page.inputs)
            raise BadInput(
                f"{bot.name} has no such inputs: {', '.join(strange)[:200]}.",
                hint=f"It has these: {known}.",
                code="bad-secret-name",
            )
        return await self.submit(caller, form.id, values, values, last=True, keep=False)

    async def _take(
        self, page: OpenForm, given: Given, deed: Deed, *, last: bool, keep: bool
    ) -> Submitted:
        said = await verdicts(self._live, page.inputs, given.secrets)
        refused = {spec.name for spec, verdict in said if verdict.state == "refused"}
        kept = {name: value for name, value in given.secrets.items() if name not in refused}
        good = replace(given, secrets=kept)
        staged = good.on(page.staged)
        if given.wrong or refused:
            if keep:
                async with self._sealed_used(good):
                    await self._keep(page, staged)
            raise self._refusal(page, given, good if keep else Given({}, {}), said)
        prints = {name: self._fingerprints(name, value) for name, value in given.secrets.items()}
        deed.ended(names=sorted(prints))
        async with self._sealed_used(good):
            if not last:
                await self._keep(page, staged)
                return Submitted(page.bot, prints, complete=False, notes=notes_of(said))
            await self._require_complete(page, staged, keep=keep)
            plan = self._plan(page, staged)
            await self._commit(page, staged, plan, deed.author)
        every = {name: self._fingerprints(name, value) for name, value in staged.secrets.items()}
        return Submitted(page.bot, every, complete=True, sequel=plan.sequel, notes=notes_of(said))

    def _sealed_used(self, good: Given) -> AbstractAsyncContextManager[None]:
        """What was taken of the sealed values is used up."""
        return self.sealed.used(s for name, s in good.seals.items() if name in good.secrets)

    async def _keep(self, page: OpenForm, staged: Staged) -> None:
        self._redactor.learn(page.bot.id, staged.secrets.values())
        bot_id, form_id = page.bot.id, page.form.id
        await self._threads.secrets(lambda: self._blueprints.staging.keep(bot_id, form_id, staged))

    async def _require_complete(self, page: OpenForm, staged: Staged, *, keep: bool) -> None:
        missing = [spec.label or spec.name for spec in unanswered(page, staged)]
        if missing:
            if keep:
                await self._keep(page, staged)
            raise BadInput(
                f"Still missing: {', '.join(missing)}.",
                hint="Open the form again from its first page." if keep else "Send all of them.",
                code="bad-secret",
            )
        nothing = not staged.secrets and not changed_fields(page, staged.fields)
        if page.form.rotate and nothing:
            raise BadInput("Nothing was entered, so nothing was changed.", code="bad-secret")

    def _plan(self, page: OpenForm, staged: Staged) -> Plan:
        view = self._fleet.get(page.bot.id)
        container = view.world.container if view else None
        reloadable = container is not None and self._blueprints.reloads(page.bot, container)
        return decide(page, staged, view, reloadable=reloadable)

    async def _commit(self, page: OpenForm, staged: Staged, plan: Plan, by: Author) -> None:
        """Write everything that the form's pages gave, and wish for what follows from it.

        All of it is kept for the form before the form is used up, and the form is settled with the
        wish. After a kill in between the next start writes everything (`resume`), and the present
        run is told to use it. The set before is kept until this one has proved itself.
        """
        bot_id, form_id = page.bot.id, page.form.id
        await self._keep(page, staged)
        async with self._store.transaction() as write:
            used = await write.use_form(form_id, time.time())
        if not used:
            raise _used()
        async with self._former.changing(bot_id, secrets=bool(staged.secrets)):
            await self._write_all(page, staged, by)
            await self._wish(page, staged, plan, by)
        await self._threads.secrets(lambda: self._blueprints.staging.drop(bot_id, form_id))

    async def _write_all(self, page: OpenForm, staged: Staged, by: Author) -> None:
        bot_id = page.bot.id
        try:
            if not page.form.rotate:  # first: with its last secret the bot may be created
                await self._wishes.change(bot_id, lambda now: with_fields(now, staged.fields), by)
            await self._write(page.bot, staged.secrets)
        except ControllerError:
            with contextlib.suppress(ControllerError):  # so that nothing need be typed again
                await self._keep(page, staged)
            async with self._store.transaction() as write:
                await write.reopen_form(page.form.id)
            raise

    async def _wish(self, page: OpenForm, staged: Staged, plan: Plan, by: Author) -> None:
        def edit(now: Bot) -> Bot:
            run = now.run.hide_log(self._engine_time()) if plan.hide_log else now.run
            if plan.owes:
                run = run.reload(PRESENT) if plan.owes == "reload" else run.end(PRESENT)
            count = now.secret_set + bool(staged.secrets)
            fresh = with_fields(now, staged.fields)
            return replace(fresh, problem=None, run=run, secret_set=count)

        await self._wishes.change(
            page.bot.id,
            edit,
            by,
            facts=[Fact(Kind.SECRETS, {"names": sorted(staged.secrets)})],
            forgive=True,
            also=lambda write: write.settle_forms(page.bot.id),
        )

    async def resume(self, written: Callable[[str], None]) -> None:
        """Finish what a controller that died left of a commit: see `Resumption`."""
        await self._resumption.begin(written)

    async def close(self) -> None:
        """Try no more; the next start does."""
        await self._resumption.close()

    def _refusal(self, page: OpenForm, given: Given, good: Given, said: Said) -> BadInput:
        """Each input that can't be used with its reason, and what need not be typed again."""
        refused = [verdict.message for _, verdict in said if verdict.state == "refused"]
        words = [*(error.message for error in given.wrong), *refused]
        hints = dict.fromkeys(error.hint for error in given.wrong if error.hint)
        labels = {spec.name: spec.label or spec.name for spec in page.inputs}
        words += [
            f"Kept: {labels[name]} `{self._fingerprints(name, value)}`."
            for name, value in good.secrets.items()
        ]
        if page.form.rotate or page.bot.image:
            words.append("The bot was not changed.")
        return BadInput(
            "\n".join(words),
            hint=" ".join(hints),
            code=_code_of(given.wrong, refused=bool(refused)),
            inputs=wrong_inputs(given, said),
        )

    async def stored(self, caller: Caller, bot: Bot) -> list[Stored]:
        """Every secret of the bot; of those that exist the age and a fingerprint."""
        prints = await self.fingerprints_of(caller, bot)
        ages = await self._threads.secrets(lambda: self._vault.written_at(bot.id))
        template = self._blueprints.known(bot)
        specs: dict[str, SecretSpec] = {}
        if template is not None:
            with contextlib.suppress(BadInput):  # its provider or channel is no longer known
                specs = {s.name: s for s in template.secrets_for(bot.provider, bot.channel)}
        return [
            Stored(name, specs.get(name), prints.get(name, ""), ages.get(name, 0.0))
            for name in dict.fromkeys((*specs, *prints))
        ]

    async def fingerprints_of(self, caller: Caller, bot: Bot) -> Mapping[str, str]:
        """A fingerprint of every secret that is stored."""
        await self._access.require(caller, BOT_SHOW, bot)
        values = await self._threads.secrets(lambda: self._blueprints.secret_values(bot))
        return {name: self._fingerprints(name, value) for name, value in values.items()}

    async def _usable(self, caller: Caller, form_id: str) -> tuple[Form, Bot]:
        form = await self._store.form(form_id)
        view = self._fleet.get(form.bot_id) if form else None
        await self._access.require(caller, BOT_SECRETS, view.bot if view else None)
        if form is None or view is None or view.bot.wish is Wish.REMOVE:
            raise NotFound("The bot of this form is gone.", code="no-such-bot")
        if form.user_id != _number(caller):
            refusal = Denied("This form is somebody else's.", hint="Ask for a form of your own.")
            await self._access.refuse(caller, BOT_SECRETS.id, view.bot, refusal)
        if form.used_at is not None:
            raise _used()
        if form.expires_at < time.time():
            raise NotReady("This form has expired.", code="form-expired")
        return form, view.bot

    async def _write(self, bot: Bot, given: Mapping[str, str]) -> None:
        template = self._blueprints.template(bot)
        owner = self._blueprints.owner(template)
        values = {**given, **await self._threads.secrets(lambda: self._generate(template, bot))}
        # Known to the redactor before anything can log or repeat it.
        stored = await self._threads.secrets(lambda: self._blueprints.secret_values(bot))
        self._redactor.learn(bot.id, {**stored, **values}.values())
        if values:
            await self._threads.secrets(lambda: self._vault.write(bot.id, values, owner))

    def _generate(self, template: Template, bot: Bot) -> dict[str, str]:
        """What is made here and doesn't exist, or not in a state in which the bot can use it."""
        wanted = [s.name for s in template.secrets_for(bot.provider, bot.channel) if s.generate]
        there = set(self._vault.names(bot.id))
        unusable = self._vault.check(bot.id, wanted, self._blueprints.owner(template))
        return {n: secrets.token_hex(32) for n in wanted if n not in there or n in unusable}


def _number(caller: Caller) -> int:
    """The id of the person that a form belongs to; 0 for whoever is none."""
    return int(caller.principal.id) if caller.principal.kind == "user" else 0


def _used() -> NotReady:
    return NotReady("This form was already used.", code="form-used")


def _code_of(wrong: Iterable[BadInput], *, refused: bool) -> str:
    """The one reason for all inputs, if there is one."""
    codes = {"bad-secret" if error.code == "bad-field" else error.code for error in wrong}
    codes |= {"refused-secret"} if refused else set()
    return codes.pop() if len(codes) == 1 else "bad-secret"
