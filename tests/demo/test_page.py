"""A person's path through the demo's page, in a real browser, with real containers under it."""

from __future__ import annotations

import os
import re
import signal
import stat
from pathlib import Path

import docker
import pytest
from playwright.sync_api import expect

from tests.demo.conftest import Demo, run_demo
from tests.demo.person import Person

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]

KEY = "api-key-of-bee-12345"
TOKEN = "channel-token-of-bee-67890"


def make_bee(person: Person) -> None:
    """Send `/bot create` with a name, and choose the rest by selects."""
    person.enter("/bot create", "bee")
    person.sees(person.newest(), "bee — a new bot.")
    person.take_picture("create")
    person.choose("Template", "Demo bot", person.newest())
    person.sees(person.newest(), "Its image is ready.")
    person.press("Create", person.newest())
    person.sees(person.card("bee"), "created (waiting for secrets)")


def enter_secrets(person: Person) -> None:
    """Fill in the form behind the private answer's button."""
    person.press("Enter secrets", person.messages.filter(has_text="Only you can see this").last)
    person.page.get_by_role("textbox", name="Demo API key").fill(KEY)
    person.page.get_by_role("textbox", name="Demo channel token").fill(TOKEN)
    expect(person.page.get_by_role("combobox", name="Behaviour")).to_contain_text("steady")
    person.take_picture("secrets")
    person.page.get_by_role("button", name="Submit").click()
    person.sees(person.card("bee"), "bee — running")


def test_a_person_makes_watches_and_removes_a_bot_on_the_page(demo: Demo, person: Person) -> None:
    """The whole path; each step checks the words on the page and the real container."""
    person.open(demo.start())
    expect(person.page).to_have_title("BotMaker demo")
    person.sees_newest("BotMaker is ready.")

    make_bee(person)
    assert demo.containers() == []

    enter_secrets(person)
    first = demo.container()
    assert first["State"]["Running"]
    assert first["Config"]["User"] == "1000:1000"
    assert KEY not in str(first)
    assert TOKEN not in str(first)
    files = demo.secret_files()
    assert files["api_key"].read_text().strip() == KEY
    assert files["channel_token"].read_text().strip() == TOKEN
    assert {stat.S_IMODE(path.stat().st_mode) for path in files.values()} == {0o600}
    person.sees(person.newest(), "fingerprint")
    person.take_picture("running")

    person.press("Logs", person.card("bee"))
    person.sees(person.newest(), "secrets read: api_key channel_token")
    person.sees(person.newest(), "heartbeat 1")
    person.take_picture("logs")

    person.press("Restart", person.card("bee"))
    person.sees(person.newest(), "bee — running")
    second = demo.container()
    assert second["Id"] == first["Id"]
    assert second["State"]["Running"]
    assert second["State"]["StartedAt"] != first["State"]["StartedAt"]

    person.press("Stop", person.card("bee"))
    person.sees(person.card("bee"), "bee — stopped")
    assert demo.container()["State"]["Status"] == "exited"

    person.press("Start", person.card("bee"))
    person.sees(person.card("bee"), "bee — running")
    assert demo.container()["State"]["Running"]

    person.on_bot("/bot delete", "bee")
    person.sees(person.newest(), "Delete bee? Its container, its data and its secrets are removed.")
    assert demo.container()["State"]["Running"]
    person.press("Delete bee", person.newest())
    person.sees(person.messages.filter(has_text="revoke its keys"), "bee — removed.")
    assert (demo.containers(), demo.secret_files()) == ([], {})

    person.begin("/bot list")
    person.send()
    person.sees(person.newest(), "There are no bots yet.")
    seen = person.page.content()
    assert KEY not in seen
    assert TOKEN not in seen
    assert person.problems == []
    status, out, err = demo.interrupt()
    assert (status, out, err) == (0, "\nEnded. There were no bots to remove.\n", "")
    assert demo.left() == []


def test_what_happens_in_the_background_shows_at_once_and_spoils_no_command(
    demo: Demo, person: Person, docker_client: docker.APIClient
) -> None:
    """A killed process shows while a command is typed, and the command still works."""
    person.open(demo.start())
    make_bee(person)
    enter_secrets(person)
    person.begin("/bot show")
    expect(person.suggestion("bee")).to_be_visible()
    state = docker_client.inspect_container(demo.container()["Id"])["State"]
    os.kill(state["Pid"], signal.SIGKILL)
    person.sees(person.card("bee"), "Crashed", seconds=10)
    person.pick("bee")
    person.send()
    person.sees(person.newest(), "secrets (fingerprints)")


def test_times_on_the_page_are_real_and_go_on(demo: Demo, person: Person) -> None:
    """ "created 1 second ago" is true and becomes older."""
    person.open(demo.start())
    make_bee(person)
    card, soon = person.card("bee"), 15_000
    expect(card).to_contain_text(re.compile(r"created (now|[1-3] seconds? ago)"), timeout=soon)
    expect(card).to_contain_text(re.compile(r"created ([5-9]|1\d) seconds ago"), timeout=soon)


def test_after_a_kill_a_new_demo_goes_on_with_the_bots_that_still_run(
    demo: Demo, person: Person
) -> None:
    """The next demo shows the same run of the same container."""
    person.open(demo.start())
    make_bee(person)
    enter_secrets(person)
    before = demo.container()
    demo.kill()
    person.open(demo.start())
    person.sees(person.card("bee"), "bee — running")
    after = demo.container()
    assert after["State"]["StartedAt"] == before["State"]["StartedAt"]
    person.press("Stop", person.card("bee"))
    person.sees(person.card("bee"), "bee — stopped")
    assert "It continues with the bots from an earlier run: bee." in demo.said
    demo.interrupt()
    assert demo.left() == []


def test_a_second_demo_on_the_same_folder_is_refused_in_one_sentence(demo: Demo) -> None:
    """The status is 1, without a traceback."""
    demo.start()
    second = run_demo(demo.folder)
    out, err = second.communicate(timeout=60)
    assert second.returncode == 1
    assert out == ""
    assert err == (
        f"demo: Another demo is using the folder {demo.folder}. "
        "End that one, or give this one another folder with --folder.\n"
    )


def test_without_an_engine_the_demo_says_so_in_one_sentence(tmp_path: Path) -> None:
    """The status is 1, without a traceback."""
    process = run_demo(tmp_path / "demo", DOCKER_HOST=f"unix://{tmp_path}/nothing.sock")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.startswith("demo: Can't reach Docker.")
    assert err.count("\n") == 1
