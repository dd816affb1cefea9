"""A form in pages: Discord's modals hold five inputs, and a long text deserves one of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from controller.catalog import FieldSpec, SecretSpec
from controller.chat.languages import say, told
from controller.chat.words.fitting import distinct
from controller.chat.words.limits import INPUTS_A_MODAL, PAGE_TITLE_MAX
from controller.manager.submission import Input


def secret_pages(inputs: Sequence[Input]) -> tuple[tuple[Input, ...], ...]:
    """The pages of a secrets form: long texts first, then the rest, with secrets at the end."""
    secrets = tuple(spec for spec in inputs if isinstance(spec, SecretSpec))
    fields = tuple(spec for spec in inputs if isinstance(spec, FieldSpec))
    short = tuple(spec for spec in fields if not spec.multiline)
    long = tuple((spec,) for spec in fields if spec.multiline)
    fits = len(secrets) + len(short) <= INPUTS_A_MODAL
    rest: tuple[Input, ...] = (*secrets, *short) if fits else (*short, *secrets)
    starts = range(0, len(rest), INPUTS_A_MODAL)
    return (*long, *(rest[at : at + INPUTS_A_MODAL] for at in starts)) or ((),)


@dataclass(frozen=True, slots=True)
class SettingsPage:
    """One modal of fields. `key` names it: "settings", "settings-2", or a long field's name."""

    key: str
    title: str
    inputs: tuple[FieldSpec, ...]


def settings_pages(fields: Sequence[FieldSpec]) -> tuple[SettingsPage, ...]:
    """All fields of a bot in pages; a long text has one of its own."""
    short = tuple(spec for spec in fields if not spec.multiline)
    found: list[SettingsPage] = []
    for number, at in enumerate(range(0, len(short), INPUTS_A_MODAL), 1):
        more = "" if number == 1 else f"-{number}"
        title = say("Settings") if number == 1 else say("Settings, page {number}", number=number)
        found.append(SettingsPage(f"settings{more}", title, short[at : at + INPUTS_A_MODAL]))
    taken = {page.key for page in found}
    for spec in fields:
        if spec.multiline:
            key = f"field-{spec.name}" if spec.name in taken else spec.name
            found.append(SettingsPage(key, told(spec.label), (spec,)))
    titles = distinct([page.title for page in found], PAGE_TITLE_MAX)
    return tuple(map(_titled, found, titles))


def _titled(page: SettingsPage, title: str) -> SettingsPage:
    return replace(page, title=title)
