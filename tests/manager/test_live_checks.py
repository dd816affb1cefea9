"""What services say of secrets on their way in: refused, kept, noted, and never in the way."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from controller.catalog import FieldSpec
from controller.domain.bot import Bot
from controller.domain.errors import BadInput, ControllerError
from controller.domain.live import Verdict
from controller.domain.phase import Phase
from controller.manager.credentials import Submitted
from controller.services import LiveChecks
from tests.manager.rich import with_rich
from tests.manager.rig import ANN_ASKS, API_KEY, SECRETS, TOKEN, Rig, eventually

BAD = "fake-refused-value"
HERMIT = "fake-value-of-a-hermit"


class Services(LiveChecks):
    """Stands in for all services: refuses one value, does not answer for another."""

    def __init__(self) -> None:
        super().__init__(enabled=False)
        self.asked: list[tuple[str, str, str]] = []

    async def check(self, values: Mapping[str, tuple[str, str]]) -> Mapping[str, Verdict]:
        """Say what the value deserves."""
        self.asked += [(name, kind, value) for name, (kind, value) in values.items()]
        return {name: self._verdict(kind, value) for name, (kind, value) in values.items()}

    def _verdict(self, kind: str, value: str) -> Verdict:
        if value == BAD:
            return Verdict("refused", f"{kind} refused it: {value} is unknown there.")
        if value == HERMIT:
            return Verdict("unknown", f"{kind} could not be asked; it was stored unchecked.")
        return Verdict("accepted", f"{kind} knows it.", (f"Its name is {kind}-bot.",))


@pytest.fixture
async def served(rig: Rig) -> Rig:
    """An installation with the rich template, and services that answer."""
    rig.live = Services()
    return await with_rich(rig)


def asked(rig: Rig) -> list[tuple[str, str, str]]:
    assert isinstance(rig.live, Services)
    return rig.live.asked


async def submit(
    rig: Rig, bot: Bot, values: Mapping[str, str], *, rotate: bool = False, form: str = ""
) -> Submitted:
    return await rig.fill_in(form or await rig.form(bot, rotate=rotate), values)


async def test_what_the_services_said_comes_back_as_notes(served: Rig) -> None:
    """In the order of the page, with what is known of the account."""
    bot = await served.create("rich")
    done = await submit(served, bot, SECRETS)
    assert done.notes == (
        "openai knows it.",
        "Its name is openai-bot.",
        "telegram knows it.",
        "Its name is telegram-bot.",
    )
    kinds = [("api_key", "openai", API_KEY), ("channel_token", "telegram", TOKEN)]
    assert asked(served) == kinds


async def test_a_refused_value_of_a_first_form_leaves_the_others_kept(served: Rig) -> None:
    """They are named by their fingerprint, shown as kept, and not asked for again."""
    bot = await served.create("rich")
    credentials = served.manager.credentials
    form = await served.form(bot)
    values = {"api_key": API_KEY, "channel_token": BAD, "greeting": "ahoy"}
    with pytest.raises(BadInput) as caught:
        await submit(served, bot, values, form=form)
    assert caught.value.code == "refused-secret"
    assert "telegram refused it" in caught.value.message
    assert BAD not in str(caught.value)
    again = await credentials.form(ANN_ASKS, form)
    greeting = next(spec for spec in again.inputs if isinstance(spec, FieldSpec))
    assert (again.kept, again.value_of(greeting)) == (frozenset({"api_key"}), "ahoy")
    assert served.secrets_on_disk() == set(), "the bot itself wasn't touched"
    assert not served.active(bot)
    done = await submit(served, bot, {"channel_token": TOKEN, "greeting": "ahoy"}, form=form)
    assert f"Kept: API key `{done.fingerprints['api_key']}`." in caught.value.message
    assert set(done.fingerprints) == {"api_key", "channel_token"}
    await served.becomes(bot, Phase.RUNNING)
    assert (served.secrets / bot.id / "api_key").read_text() == API_KEY
    assert served.view(bot).bot.fields == {"greeting": "ahoy"}
    (event, before, _) = await served.history(bot)
    assert before.outcome is not None
    assert before.outcome.data["code"] == "refused-secret"
    assert event.outcome is not None
    assert event.outcome.data["result"] == "done"


async def test_a_refused_value_of_a_rotation_changes_nothing(served: Rig) -> None:
    """Neither it nor the good one beside it; the bot goes on as it was."""
    bot = await served.running("rich")
    run = served.run_of(bot)
    with pytest.raises(BadInput) as caught:
        await submit(served, bot, {"api_key": BAD, "channel_token": "new-token"}, rotate=True)
    assert caught.value.message.endswith("The bot was not changed.")
    await eventually(served.at_rest)
    assert (served.secrets / bot.id / "channel_token").read_text() == TOKEN
    assert (served.run_of(bot), served.view(bot).bot.run.to_reload) == (run, "")
    assert served.runtime.executed == []


async def test_a_service_that_cannot_be_asked_is_in_nobodys_way(served: Rig) -> None:
    """The value is stored, the bot starts, and the note says that it is unchecked."""
    bot = await served.create("rich")
    done = await submit(served, bot, {"api_key": HERMIT, "channel_token": TOKEN})
    assert done.notes[0] == "openai could not be asked; it was stored unchecked."
    await served.becomes(bot, Phase.RUNNING)


async def test_a_refusal_leaves_the_form_open(served: Rig) -> None:
    """The same form takes a better value, also of a rotation."""
    bot = await served.running("rich")
    form = await served.form(bot, rotate=True)
    with pytest.raises(BadInput):
        await submit(served, bot, {"api_key": BAD}, form=form)
    done = await submit(served, bot, {"api_key": "fake-provider-key-2"}, form=form)
    assert set(done.fingerprints) == {"api_key"}


async def test_a_value_of_the_wrong_form_is_shown_to_nobody(served: Rig) -> None:
    """Format first: no service sees what can't be right. The good one beside it is kept."""
    bot = await served.create("rich")
    with pytest.raises(BadInput):
        await submit(served, bot, {"api_key": "short", "channel_token": TOKEN})
    assert [name for name, _, _ in asked(served)] == ["channel_token"]


async def test_what_was_not_given_is_not_asked_about(served: Rig) -> None:
    """A rotation of one secret asks one service; a secret without a check asks none."""
    bot = await served.running("rich")
    asked(served).clear()
    await submit(served, bot, {"channel_token": "another-token"}, rotate=True)
    assert [name for name, _, _ in asked(served)] == ["channel_token"]
    asked(served).clear()
    await served.running("plain")
    assert asked(served) == []


async def test_a_kept_secret_that_became_unusable_is_asked_for_again(served: Rig) -> None:
    """Kept means usable: a file that others can read has to be entered again."""
    bot = await served.running("rich")
    (served.secrets / bot.id / "api_key").chmod(0o644)
    form = await served.form(bot)
    assert (await served.manager.credentials.form(ANN_ASKS, form)).kept == {"channel_token"}
    with pytest.raises(BadInput) as caught:
        await submit(served, bot, {"channel_token": TOKEN}, form=form)
    assert "The API key can't be empty" in caught.value.message


class Slow(Services):
    """Answers when the bot is gone."""

    def __init__(self, rig: Rig, bot: Bot) -> None:
        super().__init__()
        self._rig, self._bot = rig, bot

    async def check(self, values: Mapping[str, tuple[str, str]]) -> Mapping[str, Verdict]:
        """Have the bot removed, then answer."""
        await self._rig.manager.lifecycle.delete(ANN_ASKS, self._bot)
        return await super().check(values)


@pytest.mark.parametrize("token", [BAD, TOKEN])
async def test_values_for_a_bot_that_is_removed_meanwhile_leave_nothing(
    served: Rig, token: str
) -> None:
    """Refused or not: an answer that comes after the removal writes nothing that stays."""
    bot = await served.create("rich")
    form = await served.form(bot)
    served.live = Slow(served, bot)
    await served.restart()
    with pytest.raises(ControllerError):
        await submit(served, bot, {"api_key": API_KEY, "channel_token": token}, form=form)
    await served.gone(bot)
    assert served.secrets_on_disk() == set()
