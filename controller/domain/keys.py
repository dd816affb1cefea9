"""What keys of well-known services look like, and names that promise a secret.

The rules are loose on purpose: hiding a harmless word costs little, showing a key costs the key.
Each takes time in proportion to the text, whatever the text is, because strangers write log lines.
"""

from __future__ import annotations

import re

# Where a word begins, also behind an escape such as %3D or \n that ends in a letter.
_START = r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrtbf]))"

# (text that must occur, pattern, what is kept before and after the mark)
_SHAPES: tuple[tuple[str, re.Pattern[str], str], ...] = tuple(
    (needle, re.compile(pattern, re.ASCII | re.DOTALL), kept)
    for needle, pattern, kept in (
        (
            "PRIVATE KEY",
            r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----.*?"
            r"(?:-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----|\Z)",
            "{}",
        ),
        ("://", r"(?P<before>://[^\s/:@]*:)[^\s/]+(?P<after>@)", r"\g<before>{}\g<after>"),
        (".eyJ", r"(?<![\w-])[\w-]{10,}+\.eyJ[\w-]{5,}+(?:\.[\w-]*+)?", "{}"),
        # Behind other letters only where it cannot be the end of "task" or "disk".
        ("sk-", r"sk-(?:ant|proj|svcacct|or-v\d)-[\w-]{16,}|sk-[A-Za-z0-9]{20,}[\w-]*", "{}"),
        ("sk-", _START + r"sk-[\w-]{20,}", "{}"),
        ("xox", r"xox[abeoprs]-[A-Za-z0-9.-]{10,}", "{}"),
        ("xapp-", r"xapp-\d-[A-Za-z0-9-]{10,}", "{}"),
        ("AIza", r"AIza[\w-]{35,}", "{}"),
        ("gh", r"gh[pousr]_\w{36,}", "{}"),
        ("github_pat_", r"github_pat_\w{22,}", "{}"),
        ("bm_", r"bm_[0-9a-f]{12}_[0-9a-f]{32,}", "{}"),  # our own API tokens
        ("AKIA", r"AKIA[0-9A-Z]{16,}", "{}"),
        ("AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[A-Z0-9]{58,}", "{}"),
        ("earer ", r"(?P<before>\b[Bb]earer {1,3})[\w.~+/=-]{20,}", r"\g<before>{}"),
        ("EARER ", r"(?P<before>\b[Bb]EARER {1,3})[\w.~+/=-]{20,}", r"\g<before>{}"),
        (":", r"\d{8,10}:[\w-]{35,}", "{}"),
        (".", r"[MNO][\w-]{23,27}\.[\w-]{6,7}\.[\w-]{27,}", "{}"),
    )
)

# The ends of shapes that begin with what is everywhere: looked for first, it's faster.
_ENDS = {
    ":": re.compile(r":[\w-]{35}", re.ASCII),
    ".": re.compile(r"\.[\w-]{6,7}\.[\w-]{27}", re.ASCII),
}

_WORDS = re.compile(
    r"TOKEN|SECRET|PASSW(?:OR)?D|PASSPHRASE|CREDENTIAL|(?:API|PRIVATE|ACCESS|SIGNING)_?KEY",
    re.IGNORECASE,
)


def looks_like_key(text: str) -> bool:
    """Whether something shaped like a well-known key is in the text."""
    return any(_may_have(text, needle) and shape.search(text) for needle, shape, _ in _SHAPES)


def hide_keys(text: str, mark: str) -> str:
    """The text with every well-known key in it replaced by the mark."""
    for needle, shape, kept in _SHAPES:
        if _may_have(text, needle):
            text = shape.sub(kept.format(mark), text)
    return text


def _may_have(text: str, needle: str) -> bool:
    """Whether it's worth looking for the shape with this needle."""
    return needle in text and (needle not in _ENDS or _ENDS[needle].search(text) is not None)


def promises_secret(name: str) -> bool:
    """Whether a variable of this name would be expected to hold a secret."""
    return _WORDS.search(name) is not None
