"""Wherever a log, a health check's words or an output is cut: no part of a secret shows."""

from __future__ import annotations

import base64
import string
import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from controller.domain.events import LogLine, LogPart, LogQuery
from controller.runtime import frames, observations
from controller.runtime.frames import OutputEnd, read_lines
from controller.vault import Redactor

SHOWN = 8  # characters in a row that are too many
ENTRY = 16 << 10  # bytes of the engine's longest log entry
SECRETS = st.text(
    string.ascii_letters + string.digits + "-_+/=.:", min_size=20, max_size=90
).filter(lambda text: len(set(text)) > 12)
FORMS = st.sampled_from(
    [
        lambda text: text,
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.urlsafe_b64encode(b"ab" + text.encode()).decode(),
        lambda text: text[:9] + "\x1b[38;5;200m" + text[9:],
    ]
)
BETWEEN = st.sampled_from([" ", "", "\n", "\r", "; ", "\x1b[0m ", " key="])


def taught(secret: str) -> Redactor:
    redact = Redactor()
    redact.learn("bot", ["another-secret-of-it", secret])
    return redact


def leaks(secret: str, shown: str) -> list[str]:
    """The pieces of a secret that can be read."""
    forms = [secret]
    for shift in range(3):
        core = base64.b64encode(b"\0" * shift + secret.encode()).decode()
        core = core[2:-4]
        forms += [core, core.replace("+", "-").replace("/", "_")]
    return [
        form[at : at + SHOWN]
        for form in forms
        for at in range(len(form) - SHOWN + 1)
        if form[at : at + SHOWN] in shown
    ]


@given(SECRETS, FORMS, BETWEEN, st.data())
def test_a_text_cut_at_both_ends_shows_nothing_of_a_secret(secret, form, between, data) -> None:  # type: ignore[no-untyped-def]
    """Any secret, in any form, any number of times, cut anywhere."""
    printed = (form(secret) + between) * data.draw(st.integers(1, 5))
    start = data.draw(st.integers(0, len(printed)))
    end = data.draw(st.integers(start, len(printed)))
    shown = taught(secret)(printed[start:end], begins=start == 0, ends=end == len(printed))
    assert leaks(secret, shown) == []


@settings(max_examples=40, deadline=None)
@given(SECRETS, BETWEEN.filter(lambda text: "\n" not in text), st.data())
def test_a_line_without_an_end_shows_nothing_wherever_it_is_cut(secret, between, data) -> None:  # type: ignore[no-untyped-def]
    """The log's tail begins in it, its 256 KiB end in it, and it has no newline yet."""
    printed = ((secret + between) * 12_000)[: data.draw(st.integers(1, 400_000))].encode()
    first = data.draw(st.integers(0, len(printed)))
    stamp = b"2026-11-21T03:00:00.000000001Z "
    pieces = [printed[at : at + ENTRY] for at in range(first, len(printed), ENTRY)]
    entries = [
        struct.pack(">BxxxL", 1, len(stamp) + len(piece)) + stamp + piece for piece in pieces
    ]
    part = read_lines(entries, LogQuery(), len(entries) if first else 10**9)
    shown = "\n".join(line.text for line in taught(secret).log(part))
    assert leaks(secret, shown) == []


@given(SECRETS, st.integers(8, 60), st.data())
def test_a_part_of_a_log_that_begins_or_ends_in_a_folded_secret_hides_it(
    secret, columns, data
) -> None:  # type: ignore[no-untyped-def]
    """Whole lines, but the lines before them and after them have the rest of it."""
    folded = [secret[at : at + columns] for at in range(0, len(secret), columns)]
    log = ["before", *folded, "between", *folded, "after"]
    start = data.draw(st.integers(0, len(log)))
    end = data.draw(st.integers(start, len(log)))
    part = LogPart(LogLine(float(at), "stdout", text) for at, text in enumerate(log[start:end]))
    shown = "".join(line.text for line in taught(secret).log(part))
    assert leaks(secret, shown) == []


@given(SECRETS, BETWEEN, st.integers(1, 300), st.integers(0, 60))
@example("fake-0123456789-secret-ABCDEFGH", " ", 300, 7)
def test_what_the_engine_kept_of_a_health_check_shows_nothing(
    secret: str, between: str, times: int, before: int
) -> None:
    """It keeps 4,096 bytes and says "..."."""
    printed = "x" * before + (secret + between) * times
    kept = printed if len(printed) <= 4096 else printed[:4096] + "..."
    seen = observations.observation(
        {
            "Id": "1",
            "State": {
                "Status": "running",
                "Health": {"Status": "unhealthy", "Log": [{"ExitCode": 1, "Output": kept}]},
            },
        }
    )
    shown = taught(secret)(seen.probe_output, ends=not seen.probe_cut)
    assert leaks(secret, shown) == []


@given(SECRETS, BETWEEN, st.integers(1, 900))
def test_the_end_of_an_actions_output_shows_nothing(secret: str, between: str, times: int) -> None:
    """16 KiB are kept, half of them where there is no newline."""
    printed = ((secret + between) * times).encode()
    end = OutputEnd(16 << 10)
    end.feed(struct.pack(">BxxxL", 1, len(printed)) + printed)
    text = end.text()
    shown = "\n".join(taught(secret).lines(text.split("\n"), begins=not end.cut))
    assert leaks(secret, shown) == []


def test_what_is_whole_stays_as_it_is() -> None:
    """A cut hides what is around it only where that may be a secret's."""
    redact = taught("fake-0123456789-secret-ABCDEFGH")
    text = "key fake-0123456789-secret-ABCDEFGH and on it goes, to the secret end"
    hidden = "key [redacted] and on it goes, to the secret end"
    assert redact(text, begins=False, ends=False) == hidden
    assert redact("secret-ABCDEFGH and more", begins=True) == "secret-ABCDEFGH and more"
    assert redact("secret-ABCDEFGH and more", begins=False) == "[redacted] and more"
    assert redact("more of fake-0123456789", ends=False) == "more of [redacted]"
    assert redact("more of fake-0123456789…") == "more of [redacted]…"


def test_a_line_that_is_written_over_shows_its_last_state() -> None:
    """As a terminal does; the rest of a secret that was written over goes too."""
    secret = "fake-0123456789-secret-ABCDEFGH"
    for printed, shown in {
        b" 10%\r 20%\r 100%\n": " 100%",
        b" 10%\r 20%\r": " 20%",
        b"plain\r\n": "plain",
        b"fake-012345\r6789-secret-ABCDEFGH done\n": "[redacted] done",
    }.items():
        entry = b"2026-11-21T03:00:00.000000001Z " + printed
        part = read_lines([struct.pack(">BxxxL", 1, len(entry)) + entry], LogQuery())
        assert [line.text for line in taught(secret).log(part)] == [shown]


@pytest.mark.parametrize("piece", [b"x" * ENTRY, b"50%\r" * (ENTRY // 4)])
def test_an_endless_line_costs_bounded_memory(piece: bytes) -> None:
    """64 MiB without a newline; of a progress bar its last state is known, at any time."""
    joiner = frames.LineJoiner()
    for number in range(4096):
        assert joiner.feed("stdout", b"2026-11-21T03:00:00Z " + piece + b"%d%%" % number) is None
        assert sum(len(line) for _, line in joiner._open.values()) <= frames.LINE_MAX + 2
    (line,) = joiner.rest()
    assert len(line.text) <= frames.LINE_MAX + 1
    if b"\r" in piece:
        assert line.text.endswith("4095%")
