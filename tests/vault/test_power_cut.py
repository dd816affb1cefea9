"""What is on the disk when a call returns, whatever happens to the power then."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.vault import AtRest, Staged, Staging, Vault, install_key
from tests.disk_order import DiskOrder
from tests.vault.places import BOT, NEW, OLD, OWNER

FORM = "0123456789abcdef01234567"


@pytest.mark.parametrize("before", [{}, OLD], ids=["new", "replaced"])
def test_secrets_are_on_the_disk_before_they_have_their_names(
    vault: Vault, before: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never an empty file in a secret's place; and the names are on the disk as well."""
    if before:
        vault.write(BOT, before, OWNER)
    order = DiskOrder(monkeypatch)
    vault.write(BOT, NEW, OWNER)
    assert order.names() == set(NEW)
    assert (order.too_early(), order.unsure()) == ([], [])


def test_dropped_secrets_do_not_come_back(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are gone for good, and so is their folder."""
    vault.write(BOT, OLD, OWNER)
    order = DiskOrder(monkeypatch)
    vault.drop(BOT)
    assert order.changed
    assert order.unsure() == []


def test_what_a_form_keeps_is_on_the_disk(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its folder: the form is used up only after that, and read again at the next start."""
    order = DiskOrder(monkeypatch)
    Staging(vault.root, AtRest((bytes(32),))).keep(BOT, FORM, Staged(NEW))
    assert order.names() == {f"{BOT}.{FORM}.json"}
    assert (order.too_early(), order.unsure()) == ([], [])


def test_the_installations_key_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Complete before it has its name: everything that is chained by it comes later."""
    order = DiskOrder(monkeypatch)
    install_key(tmp_path)
    assert order.names() == {"install.key"}
    assert (order.too_early(), order.unsure()) == ([], [])
