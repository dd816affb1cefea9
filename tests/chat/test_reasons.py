"""What people read about a bot in trouble, and about what is exposed: words from views alone."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from controller.chat.cards.card_words import card
from controller.chat.forms.action_form import result_words
from controller.chat.forms.secrets_form import receipt
from controller.chat.requests.card_buttons import card_buttons
from controller.chat.words import bot_words
from controller.chat.words.fleet_words import fleet_status
from controller.domain.bot import Bot, Crash, Problem, Wish
from controller.domain.observation import ContainerState, Health, Observation, World
from controller.domain.phase import Phase
from controller.fleet.views import ByHand, EngineState, Fleet, View
from controller.manager.actions import ActionResult
from controller.manager.credentials import Submitted

MIB = 1024**2
BOT = Bot(id="b", name="shop", template="echo", provider="", model="", channel="")
RUNS = Observation(
    container_id="c" * 64, state=ContainerState.RUNNING, health=Health.HEALTHY, started_at="now"
)
UP = EngineState(True, 1.0, "")
NOW = 1_700_000_000.0  # by the engine's clock, which is years behind ours


def view(bot: Bot = BOT, phase: Phase = Phase.UNHEALTHY, **world: object) -> View:
    """A bot that was seen just now."""
    return View(bot, World(container=RUNS, **world), seen=True, phase=phase, since=1.0)  # type: ignore[arg-type]


def test_the_last_words_before_a_crash_are_on_no_card_of_a_bot_that_is_well_again() -> None:
    """They explain trouble; afterwards they would only be in the way."""
    tail = ("Traceback", "the last words")
    assert "the last words" in card(replace(view(), tail=tail), now=NOW).text
    assert "the last words" not in card(replace(view(phase=Phase.RUNNING), tail=tail), now=NOW).text


@pytest.mark.parametrize(
    ("phase", "ends"),
    [
        (Phase.RUNNING, "; started again."),
        (Phase.STARTING, "; started again."),
        (Phase.ERROR, ":R>."),
        (Phase.STOPPED, ":R>."),
    ],
)
def test_a_stop_by_hand_is_said_to_be_undone_only_where_it_is(phase: Phase, ends: str) -> None:
    """A bot that doesn't run wasn't started again."""
    by_hand = replace(view(phase=phase), by_hand=ByHand("stopped", NOW))
    (said,) = bot_words.reasons(by_hand, now=NOW)
    assert said.startswith("Stopped outside BotMaker <t:")
    assert said.endswith(ends)


@pytest.mark.parametrize(
    ("phase", "labels"),
    [
        (Phase.CREATED, ["Enter secrets"]),
        (Phase.STARTING, ["Logs", "Restart", "Settings", "Stop"]),
        (Phase.RUNNING, ["Logs", "Restart", "Settings", "Stop"]),
        (Phase.UNHEALTHY, ["Logs", "Restart", "Settings", "Stop"]),
        (Phase.CRASH_LOOPING, ["Logs", "Restart", "Settings", "Stop"]),
        (Phase.STOPPING, ["Logs", "Start", "Settings"]),
        (Phase.STOPPED, ["Logs", "Start", "Settings"]),
        (Phase.ERROR, ["Try again", "Settings", "Logs"]),
        (Phase.REMOVING, []),
    ],
)
def test_the_buttons_of_a_card_are_what_makes_sense_now(phase: Phase, labels: list[str]) -> None:
    """What is wished for already isn't offered."""
    assert [button.label for button in card_buttons(view(phase=phase))] == labels


def killed(problem: Problem | None = None) -> View:
    """A bot whose last run ended for lack of memory."""
    crash = Crash(NOW - 5, 137, oom_killed=True)
    return replace(view(replace(BOT, problem=problem)), crashes=(crash,))


@pytest.mark.parametrize(
    ("memory", "words"),
    [
        (256 * MIB, "(limit 256 MiB)"),
        (2048 * MIB, "(limit 2 GiB)"),
        (1536 * MIB, "(limit 1536 MiB)"),
        (0, "lack of memory: give it more"),
    ],
)
def test_a_lack_of_memory_names_the_limit_and_where_it_is_raised(memory: int, words: str) -> None:
    """In a crash that the bot came back from."""
    text = card(killed(), memory, now=NOW).text
    assert "exit 137: out of memory" in text
    assert words in text
    assert "give it more with `/bot edit`, option `memory`." in text


def test_a_bot_given_up_for_lack_of_memory_says_the_same() -> None:
    """With the way to begin anew, and not in the words for any other end."""
    memory = 64 * MIB
    problem = Problem("crash-loop", "Stopped after 5 crashes.", "Give it more memory.", 1.0)
    found = bot_words.reasons(killed(problem), memory, now=NOW)
    assert found == [
        "Stopped after 5 crashes.",
        "It was killed for lack of memory (limit 64 MiB): give it more with `/bot edit`, option "
        "`memory`.",
    ]
    other = Problem("image-missing", "The image is gone.", "Get it.", 1.0)
    assert bot_words.reasons(killed(other), memory, now=NOW) == ["The image is gone.", "Get it."]


def test_nobody_is_told_why_a_stopped_bot_ended() -> None:
    """It was wished for."""
    stopped = killed()
    assert bot_words.reasons(replace(stopped, bot=replace(BOT, wish=Wish.STOP)), now=NOW) == []


def test_what_its_log_gives_away_is_said_in_the_templates_words() -> None:
    """On the card and in the outcome of an action, as one line of plain text."""
    seen = view(degraded=("A secret could not be read.", "**No** <@123456789012345678>"))
    for text in (
        card(seen, now=NOW).text,
        bot_words.outcome(seen, "shop", "starting", UP, now=NOW),
    ):
        assert "🟠 **shop** — unhealthy" in text
        assert "A secret could not be read." in text
        assert "**No**" not in text
        assert "<@123456789012345678>" not in text


def test_why_secret_files_cannot_be_used_is_said_also_while_it_waits_for_them() -> None:
    """ "Waiting for secrets" alone would send somebody to type what is there already."""
    fault = "`api_key`: The file belongs to 0:0, but the bot runs as 1000:1000 and can't read it."
    waiting = view(phase=Phase.CREATED, missing=("api_key",), faults=(fault,))
    assert bot_words.reasons(waiting, now=NOW) == [fault]
    running = view(phase=Phase.RUNNING, missing=("api_key", "token"), faults=(fault,))
    assert bot_words.reasons(running, now=NOW) == [
        "Secrets missing or not usable: api_key, token.",
        fault,
    ]


def refused(phase: Phase = Phase.STARTING, **bot: object) -> View:
    """A bot whose container the engine would not start."""
    error = "driver failed: **port** 80 @everyone"
    stands = replace(RUNS, state=ContainerState.CREATED, health=Health.NONE, error=error)
    return replace(view(replace(BOT, **bot), phase), world=World(container=stands))  # type: ignore[arg-type]


def test_the_engines_own_reason_for_a_failed_start_is_shown_as_hostile_text() -> None:
    """On the card and in /bot show, without its markup and mentions."""
    for text in (card(refused(), now=NOW).text, bot_words.show(refused(), UP, {}, now=NOW)):
        assert (
            "Docker couldn't start it: driver failed: \\*\\*port\\*\\* 80 @\u200beveryone" in text
        )


def test_the_engines_reason_is_not_said_twice() -> None:
    """Where the problem has it already, cut or not; nor of a bot that runs or shall not."""
    problem = Problem(
        "start-failed", "It cannot start: driver failed: **port** 80 @everyone.", "", 1.0
    )
    (said,) = bot_words.reasons(refused(Phase.ERROR, problem=problem), now=NOW)
    assert said.startswith("It cannot start")
    assert bot_words.reasons(refused(Phase.RUNNING), now=NOW) == []
    assert bot_words.reasons(refused(Phase.STOPPED, wish=Wish.STOP), now=NOW) == []


@pytest.mark.parametrize("reason", ["it was refused", "it was refused.", "it was refused. "])
def test_the_engines_reason_ends_with_one_full_stop(reason: str) -> None:
    """However its own words end."""
    fleet = Fleet()
    fleet.note_engine(False, reason)
    status = fleet_status(fleet.engine, [], time.time(), "1", now=NOW)
    assert ". it was refused.\n" in status
    note = bot_words.engine_note(fleet.engine)
    assert note.endswith("⚠️ it was refused. These are the last known states.")


def test_the_status_says_of_each_bot_in_trouble_what_its_limit_was() -> None:
    """The limits come from whoever knows the templates."""
    text = fleet_status(
        Fleet().engine, [killed()], time.time(), "1", lambda bot: 128 * MIB, now=NOW
    )
    assert "(limit 128 MiB)" in text


def test_a_bot_that_runs_is_dated_by_its_start_and_others_by_their_phase() -> None:
    """ "started 3 minutes ago" is true after a bout of ill health, too."""
    runs = replace(view(phase=Phase.RUNNING), world=World(container=replace(RUNS, started=50.0)))
    assert bot_words.since(replace(runs, since=90.0)) == "started <t:50:R>"
    assert bot_words.since(replace(runs, since=90.0, phase=Phase.STOPPED)) == "stopped <t:90:R>"
    assert bot_words.since(replace(runs, since=90.0, phase=Phase.ERROR)) == "changed <t:90:R>"


def test_exposed_secrets_are_named_and_others_are_not_spoken_of() -> None:
    """A warning for what is in the environment of the bot's process; else not a word."""
    assert bot_words.exposure([]) == ""
    text = bot_words.exposure(["Bot token", "API key"])
    assert text.startswith("⚠️ This bot gets Bot token, API key as environment variables")
    assert "root on the host" in text


def test_a_receipt_repeats_what_the_services_said_without_their_markup() -> None:
    """A link in it stays a link."""
    link = "https://discord.com/oauth2/authorize?client_id=1&scope=bot+applications.commands"
    notes = ("Discord accepts it: the bot **x** @everyone.", f"Add it to a server: {link}")
    text = receipt(Submitted(BOT, {"token": "ab12"}, None, "It starts by itself.", notes))
    assert "`token` stored, fingerprint `ab12`" in text
    assert "ℹ️ Discord accepts it" in text
    assert "**x**" not in text
    assert "@everyone" not in text
    assert link in text


@pytest.mark.parametrize("text", ["x" * 5000, "`" * 3000, "@" * 3000, "a\n" * 2000, " \n "])
def test_whatever_an_action_prints_fits_a_message(text: str) -> None:
    """And what does not fit is known not to."""
    shown, fits = result_words(ActionResult("T" * 45, 255, text), "n" * 32)
    assert len(shown) <= 2000
    assert fits == (not text.strip())


def test_crashes_in_ten_minutes_are_counted_by_the_engines_clock() -> None:
    """It dates them, and ours may be anywhere: NOW is years ago."""
    crashes = tuple(Crash(NOW - seconds, 1) for seconds in (700, 500, 5))
    seen = replace(view(), crashes=crashes)
    (said,) = bot_words.reasons(seen, now=NOW)
    assert said.endswith("(exit 1); 2 crashes in ten minutes.")
    assert bot_words.reasons(seen, now=NOW + 3600) == []
    assert "2 crashes in ten minutes" in card(seen, now=NOW).text
    assert "2 crashes in ten minutes" in bot_words.show(seen, UP, {}, now=NOW)
    assert "2 crashes in ten minutes" in bot_words.outcome(seen, "shop", "starting", UP, now=NOW)
    assert "2 crashes in ten minutes" in fleet_status(UP, [seen], NOW, "1", now=NOW)
