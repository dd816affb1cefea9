"""Killed while a form with two pages is filled in: the bot has all old or all new secrets."""

from __future__ import annotations

import time
from pathlib import Path

import docker
import pytest

from tests.loopback import Modal
from tests.process.process import eventually, said
from tests.prove.crash_checker import Expected
from tests.prove.crash_driver import Driver, open_driver
from tests.prove.crash_pages import NAMES, SECOND, fresh, second_page, send
from tests.prove.crash_points import Point
from tests.prove.tally import Tally

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]
NAME = "paged"
# Before anything of the first page is kept; once it is; and from the second page's submit on.
EMPTY = ("store.asked:after", "forms.mkdir:after", "forms.write:after", "forms.rename:before")
KEPT = ("forms.rename:after", "store.outcome:before", "store.outcome:after")
LAST = (
    *("store.asked:after", "forms.rename:before", "forms.rename:after"),
    *("store.use_form:before", "store.use_form:after", "vault.write:after", "vault.rename:after"),
    *("vault.rename:after#2", "vault.rename:after#4", "vault.rename:after#5"),
    *("store.save_bot:before", "store.settle_forms:after", "forms.remove:before"),
    *("forms.remove:after", "store.outcome:after"),
)
SHORT = {
    ("first", "forms.rename:before"),
    ("first", "forms.rename:after"),
    ("last", "store.use_form:after"),
    ("last", "vault.rename:after#2"),
    ("last", "forms.remove:before"),
}
CASES = [("first", name) for name in (*EMPTY, *KEPT)] + [("last", name) for name in LAST]


def on_disk(driver: Driver) -> dict[str, str]:
    """The bot's secrets as its program reads them."""
    home = driver.controller.secrets_dir / driver.controller.bot_id(NAME)
    return {file.name: file.read_text() for file in home.iterdir() if file.name in NAMES}


async def first_page(driver: Driver) -> Modal:
    """The first page of a new form."""
    await said(await driver.place.ann.slash("bot secrets", name=NAME), "direct message")
    return await driver.place.open_form(NAME)


async def filled(driver: Driver, page: Modal, values: dict[str, str]) -> Modal:
    """Send the first page, and open the second."""
    await said(await send(driver.place, page, values), "One more page")
    return await second_page(driver.place, page)


async def case(driver: Driver, page: str, name: str) -> str:
    """One kill while the bot's secrets are replaced; what is wrong afterwards."""
    place, old, new = driver.place, on_disk(driver), fresh()
    driver.checker.values[NAME].update(new.values())
    opened = form = await first_page(driver)
    if page == "last":
        opened = await filled(driver, form, new)
    point = Point("rotate", name)
    driver.controller.arm(point)
    await send(place, opened, new)
    await driver.killed(point)
    began = time.time()
    await driver.controller.start()
    if found := await driver.checker.settled(Expected(began, {NAME: 1})):
        return "; ".join(found)
    has = on_disk(driver)
    if has not in ([old] if page == "first" else [old, new]):
        return "the bot has half of a set of secrets"
    if has == old:
        return await typed_is_still_there(driver, form, new, again=name in EMPTY)
    return ""


async def typed_is_still_there(
    driver: Driver, form: Modal, new: dict[str, str], *, again: bool
) -> str:
    """Go on with the form: what it has kept need not be typed once more."""
    if again:
        page = await (
            await driver.place.ann.click(driver.place.dm(NAME), label="Enter secrets")
        ).modal_sent
        rest = await filled(driver, page, new)
    else:
        rest = await second_page(driver.place, form)
    only = {name: new[name] for name in SECOND}
    done = await send(driver.place, rest, only)
    await said(done, "running")
    if done.text.count("fingerprint `") != len(NAMES) or on_disk(driver) != new:
        return "what was typed into the first page is lost"
    return "; ".join(await driver.checker.settled(Expected()))


async def test_a_kill_between_two_pages_or_in_the_commit_leaves_all_old_or_all_new(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str, tally: Tally
) -> None:
    """And as long as the values are the old ones, what was typed is still there for the form."""
    async with open_driver(tmp_path / "place", docker_client) as driver:
        place, values = driver.place, fresh()
        driver.checker.names.add(NAME)
        driver.checker.values[NAME] = set(values.values())
        await place.create(NAME, "paged")
        rest = await filled(driver, await place.open_form(NAME), values)
        await said(await send(place, rest, values), "running")
        wrong = []
        for page, name in CASES if tally.full else sorted(SHORT):
            found = await case(driver, page, name)
            tally.tried["kill points"] += 1
            tally.lost["kill points"] += bool(found)
            wrong += [f"{page} {name}: {found}"] if found else []
        assert not wrong, "\n".join(wrong)
        await driver.finish("delete", NAME)
        await eventually(driver.controller.nothing_left)
        assert list(driver.controller.secrets_dir.iterdir()) == []
