"""Generated rubbish for everything that gets into a bot: seeds, secret config files, actions.
Next door: test_fuzz.py has the rest of the templates, test_fuzz_inputs.py the rubbish."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest

from controller.catalog import (
    Template,
    action_command,
    container_spec,
    load,
    rendered_files,
    secret_files,
    seed_files,
    tidy,
)
from controller.catalog.explanation import explain
from controller.domain.bot import Bot
from controller.domain.names import is_secret_name, new_bot_id
from controller.domain.spec import SECRETS_TARGET
from controller.runtime.seeding import TOP, Kind, build_archive, plan
from tests.prove.crash_inside import WHOLE
from tests.prove.tally import Tally
from tests.prove.test_canary_inside import TEMPLATES
from tests.prove.test_fuzz import only_ours, rubbish, some
from tests.prove.test_fuzz_inputs import Rubbish, mutated

__all__ = ["rubbish"]  # the fixture
pytestmark = pytest.mark.timeout(300)

SECRETS = {"api_key": "fake-key-value", "channel_token": "fake-token-value"}
NOTE = """
[[actions.note.args]]
name = "word"
label = "Word"
"""


def bot_of(template: str) -> Bot:
    """A bot with that template."""
    return Bot(
        id=new_bot_id(),
        name="it",
        template=template,
        provider="demo",
        model="demo-small",
        channel="demo",
    )


def loaded(folder: Path, text: bytes, name: str = "whole") -> Template | None:
    """The template in that text, if it is one; its file is named after it."""
    healthy, own = folder / "none", folder / name
    for made in (healthy, own):
        made.mkdir(exist_ok=True)
    (own / f"{name}.toml").write_bytes(text)
    found = load(own, builtin=healthy)
    assert len(found.templates) + len(found.refused) == 1, text
    return next(iter(found.templates.values()), None)


def test_a_template_that_loads_can_be_used_and_leads_nowhere_else(
    tmp_path: Path, tally: Tally, rubbish: Rubbish
) -> None:
    """Whatever is spoiled, seeds stay below the state, secret config stays among the secrets, and
    each file is rendered or refused in words."""
    corpus = list({"whole": WHOLE, **TEMPLATES}.items())
    whole = [(name, text.encode()) for name, text in corpus]
    chosen = [rubbish.choice(whole) for _ in some(tally, 60, 2_000)]
    used = 0
    for name, data in chain(whole, ((name, mutated(rubbish, data)) for name, data in chosen)):
        with only_ours(tally, data):
            template = loaded(tmp_path, data, name)
            if template is None:
                continue
            used += 1
            bot = replace(bot_of(template.id), fields={"persona": rubbish.text(6)})
            assert explain(template)
            everything(template, bot)
    assert used >= len(whole), "what isn't spoiled loads"


def everything(template: Template, bot: Bot) -> None:
    """Render everything in a template, and check where it would go."""
    for seed in seed_files(template, bot):
        parts = seed.path.split("/")
        assert not seed.path.startswith("/"), seed
        assert not {"", ".", ".."} & set(parts), seed
    rendered_files(template, bot)
    for name in secret_files(template, bot, SECRETS):
        assert is_secret_name(name), name
    for file in template.files:
        assert not file.secret or file.path == f"{SECRETS_TARGET}/{file.name}"
    spec = container_spec(
        template,
        bot,
        image="sha256:abc",
        user="1000:1000",
        secrets_source="/s/x",
        files=(),
        prepare_volume=False,
    )
    for value in SECRETS.values():
        assert value not in repr(spec)
    for action in template.actions_for(bot).values():
        action_command(template, bot, action, {})


def test_a_seeds_path_stays_in_the_volume(tmp_path: Path, tally: Tally, rubbish: Rubbish) -> None:
    """Any path is refused, or every entry of the archive is below its top, once, as a plain file or
    folder of the bot's user."""
    for _ in some(tally, 100, 3_000):
        path = rubbish.choice((rubbish.inserted("notes/persona.md"), rubbish.text(6)))
        text = WHOLE.replace('"notes/persona.md"', toml(path), 1).encode("utf-8", "replace")
        with only_ours(tally, path):
            template = loaded(tmp_path, text)
            if template is None:
                continue
            seeds = seed_files(template, bot_of(template.id))
            made = build_archive("1000:1000", plan(seeds, lambda *_: Kind.NOTHING))
            with tarfile.open(fileobj=io.BytesIO(made)) as opened:
                members = opened.getmembers()
            names = [member.name for member in members]
            assert len(names) == len(set(names)), names
            for member in members:
                assert member.isfile() or member.isdir(), path
                assert member.name.split("/")[0] == TOP, path
                assert ".." not in member.name.split("/"), path
                assert (member.uid, member.mode & 0o077) == (1000, 0), path


def test_any_argument_of_an_action_is_one_argument_or_refused(
    tmp_path: Path, tally: Tally, rubbish: Rubbish
) -> None:
    """No shell and no option: it stays whole in its place, or the command doesn't run."""
    text = WHOLE.replace('"{{field.behaviour}}"]\n', '"{{field.word}}"]\n' + NOTE, 1)
    template = loaded(tmp_path, text.encode())
    assert template is not None
    bot = bot_of(template.id)
    action = template.actions_for(bot)["note"]
    for _ in some(tally, 500, 10_000):
        value = rubbish.choice((rubbish.text(6), "-" + rubbish.text(3), rubbish.name()))
        names = rubbish.choice((["word"], ["word"], ["word", rubbish.name()], [rubbish.name()]))
        with only_ours(tally, value):
            command = action_command(template, bot, action, dict.fromkeys(names, value))
            value = tidy(action.args[0], value)
            last = (value,) if value else ()  # when left out, it leaves no empty argument
            assert command == (*action.command[:-1], *last), value
            assert not value.startswith("-"), value


def toml(text: str) -> str:
    """The text as a basic string in TOML."""
    return (
        '"'
        + "".join(f"\\U{ord(one):08X}" for one in text if ord(one) not in range(0xD800, 0xE000))
        + '"'
    )
