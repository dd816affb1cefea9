"""What the services said of the secrets of one page, in words without the secrets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from controller.catalog import FieldSpec, SecretSpec
from controller.domain.live import Verdict
from controller.manager.submission import Given
from controller.services import LiveChecks
from controller.vault import Redactor

Said = tuple[tuple[SecretSpec, Verdict], ...]


async def verdicts(
    live: LiveChecks, inputs: Iterable[SecretSpec | FieldSpec], given: Mapping[str, str]
) -> Said:
    """Ask the services about the given values that can be checked, in the order of the page."""
    specs = [item for item in inputs if isinstance(item, SecretSpec) and item.live_check]
    asked = {spec.name: (spec.live_check, given[spec.name]) for spec in specs if spec.name in given}
    if not asked:
        return ()
    found = await live.check(asked)
    hide = Redactor()  # a service, or an impostor, may repeat what it was asked
    hide.learn("", given.values())
    return tuple((spec, _hidden(found[spec.name], hide)) for spec in specs if spec.name in found)


def notes_of(said: Said) -> tuple[str, ...]:
    """What a person is told as well: whose token it is, what to fix, what couldn't be asked."""
    return tuple(note for _, verdict in said for note in (verdict.message, *verdict.notes) if note)


def wrong_inputs(given: Given, said: Said) -> dict[str, str]:
    """What is wrong with which input, by its name: by our own checks, and by the services'."""
    found = {name: words for error in given.wrong for name, words in error.inputs.items()}
    refused = {spec.name: verdict.message for spec, verdict in said if verdict.state == "refused"}
    return found | refused


def _hidden(verdict: Verdict, hide: Redactor) -> Verdict:
    notes = tuple(hide(note) for note in verdict.notes)
    return replace(verdict, message=hide(verdict.message), notes=notes)
