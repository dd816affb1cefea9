"""Sealed values: only one installation opens them, as one secret of one bot, and whole."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.errors import BadInput, ControllerError
from controller.vault import Address, SealKey, is_sealed
from controller.vault.sealing import TEXT_MAX

KEY = SealKey(bytes(range(32)), "here")
BOT, OTHER = "0b7e7f2a-3f2a-4a51-9d9e-2f8a8f6a1d11", "1b7e7f2a-3f2a-4a51-9d9e-2f8a8f6a1d11"
ADDRESS = KEY.address(BOT, "shop", 1_800_000_000)
VALUE = "fake-value-that-nobody-may-see"


@given(value=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=400))
def test_whatever_is_sealed_is_opened_as_it_was(value: str) -> None:
    """With its end; and each time it is another text."""
    sealed = ADDRESS.seal("api_key", value)
    opened = KEY.open(f" {sealed}\n", BOT, "api_key")
    assert (opened.value, opened.until) == (value, ADDRESS.until)
    assert is_sealed(sealed)
    assert sealed != ADDRESS.seal("api_key", value)
    assert len(sealed) <= TEXT_MAX


@given(name=st.text(st.characters(categories=["L", "N", "P"]), max_size=40))
def test_an_address_is_read_as_it_was_written(name: str) -> None:
    """Whoever has it knows for which bot it is, and until when."""
    address = KEY.address(BOT, name, 1_800_000_000.9)
    assert Address.read(f" {address.code} ") == address


@given(at=st.integers(0), bit=st.integers(0, 7))
def test_what_was_changed_on_the_way_is_refused(at: int, bit: int) -> None:
    """Every bit of it: nothing else comes out, and no other error."""
    head, key, body = ADDRESS.seal("api_key", VALUE).split(".")
    data = bytearray(base64.urlsafe_b64decode(body + "=="))
    data[at % len(data)] ^= 1 << bit
    text = f"{head}.{key}." + base64.urlsafe_b64encode(data).decode().rstrip("=")
    with pytest.raises(BadInput, match="can't be opened") as refused:
        KEY.open(text, BOT, "api_key")
    assert VALUE not in repr(refused.value.__context__)


@given(cut=st.integers(0, 300), more=st.text(max_size=5))
def test_a_part_or_anything_else_is_refused_in_words(cut: int, more: str) -> None:
    """Whatever is typed behind `seal1.`, the answer is a sentence."""
    whole = ADDRESS.seal("api_key", VALUE)
    text = whole[: cut % len(whole)] + more
    if text.strip() != whole:
        with pytest.raises(BadInput):
            KEY.open(text, BOT, "api_key")
        with pytest.raises(BadInput):
            Address.read(ADDRESS.code[: cut % len(ADDRESS.code)] + "!" + more)


@pytest.mark.parametrize(
    ("key", "bot", "name", "words"),
    [
        (KEY, OTHER, "api_key", "another bot or another secret"),
        (KEY, BOT, "channel_token", "another bot or another secret"),
        (SealKey(bytes(range(32)), "there"), BOT, "api_key", "another installation"),
        (SealKey(bytes(32), "here"), BOT, "api_key", "another installation"),
    ],
)
def test_elsewhere_it_is_of_no_use(key: SealKey, bot: str, name: str, words: str) -> None:
    """Another bot, another secret, another installation with the same master key, another key."""
    with pytest.raises(BadInput, match=words):
        key.open(ADDRESS.seal("api_key", VALUE), bot, name)


@pytest.mark.parametrize("value", ["", "x" * 4000, "\ud800"])
def test_what_cannot_be_sealed_is_refused_unseen(value: str) -> None:
    """Nothing, too much for a box of Discord's, half a character."""
    with pytest.raises(BadInput) as refused:
        ADDRESS.seal("api_key", value)
    assert "xxx" not in str(refused.value)


def test_what_was_opened_does_not_show_itself() -> None:
    """In a log or a traceback there is only the hash of its nonce."""
    opened = KEY.open(ADDRESS.seal("api_key", VALUE), BOT, "api_key")
    assert VALUE not in f"{opened!r} {opened}"


def test_errors_are_ours() -> None:
    """They have a code and a hint, as every error of the controller."""
    with pytest.raises(ControllerError) as refused:
        Address.read("seal me")
    assert (refused.value.code, bool(refused.value.hint)) == ("bad-seal-address", True)
