"""Numbers as a language writes them."""

from __future__ import annotations

from controller.chat.languages.speech import ENGLISH, spoken

_SWAPPED = str.maketrans(",.", ".,")
_FIXED = "\u00a0"  # a space that no line breaks at


def number(value: float, digits: int = 0, *, grouped: bool = True) -> str:
    """`1,234.5`; in German and Spanish `1.234,5`."""
    text = f"{value:,.{digits}f}" if grouped else f"{value:.{digits}f}"
    return text if spoken() == ENGLISH else text.translate(_SWAPPED)


def percent(share: float, digits: int = 0) -> str:
    """`12.5%` of 1; in German and Spanish `12,5 %`."""
    if spoken() == ENGLISH:
        return f"{share:.{digits}%}"
    return f"{number(share * 100, digits)}{_FIXED}%"
