"""A bot whose secrets take two pages of a form: its template, and how a person fills the pages in.

Next door: test_crash_pages.py kills the controller meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.loopback import Invocation, Modal
from tests.process.process import BRISK, Place, a_secret
from tests.prove.crash_inside import UPDATE

EXTRA = ("token_a", "token_b", "token_c")
NAMES = ("api_key", "channel_token", *EXTRA)
SECOND = ("token_b", "token_c")  # two settings and three secrets are on the first page


def _declared(name: str) -> str:
    return f"""
[[channels.demo.secrets]]
name = "{name}"
label = "Secret {name}"
pattern = '^[\\w.:-]{{8,200}}$'
"""


PAGED = (
    BRISK.replace('id = "brisk"', 'id = "paged"', 1).replace(
        "[[fields]]", "".join(map(_declared, EXTRA)) + "\n[[fields]]", 1
    )
    + UPDATE
)


def is_paged(name: str) -> bool:
    """Whether the bot of that name uses this template."""
    return "paged" in name


def fresh() -> dict[str, str]:
    """A whole new set of secrets."""
    return {name: a_secret() for name in NAMES}


async def send(place: Place, page: Modal, values: Mapping[str, str]) -> Invocation:
    """Send a page with the values that it asks for; returns without waiting."""
    fields = {field["custom_id"]: field["value"] or "" for field in page.fields}
    place.controller.entered += [values[name] for name in fields if name in values]
    typed = {name: values.get(name, shown) for name, shown in fields.items()}
    return await place.ann.submit(page, typed, wait=False)


async def second_page(place: Place, page: Modal) -> Modal:
    """Open the second page of the form that this page belongs to."""
    _, form_id, _ = page.custom_id.split(":")
    message = next(m for m in reversed(place.ann.dms) if m.labels())
    pressed = await place.ann.click(message, custom_id=f"form:{form_id}:1", forged=True)
    return await pressed.modal_sent
