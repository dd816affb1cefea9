"""What is suggested, whatever the names are: the same as by the rule in words, cut to 25.
Next door: test_autocomplete.py asks by way of Discord."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from controller.chat.commands.suggestions import suggest, suggest_bots, suggest_titled
from controller.domain.acts import BOT_RESTART, BOT_SHOW, BOT_START, BOT_STOP, Act
from controller.domain.bot import Bot
from controller.domain.phase import Phase
from controller.fleet.views import View

BOT = Bot(id="b", name="shop", template="echo", provider="", model="", channel="")
LONGEST, MOST = 100, 25  # Discord's limits: characters of a choice, choices
words = st.one_of(
    st.text("abB- ", min_size=1, max_size=4),
    st.builds(lambda text, times: text * times, st.text("ab", min_size=1, max_size=3), st.just(40)),
)
needles = st.text("abB ", max_size=3)


@given(st.dictionaries(words, words, max_size=40), needles)
def test_the_fitting_ones_are_offered_those_that_begin_with_it_first(
    titles: dict[str, str], typed: str
) -> None:
    """Found by value or title in any case, in the order of their titles; too long a value never."""
    needle = typed.strip().lower()

    def rank(value: str) -> tuple[bool, str]:
        words = (value.lower(), titles[value].lower())
        return not any(word.startswith(needle) for word in words), titles[value].lower()

    fitting = [
        value
        for value, title in titles.items()
        if (needle in value.lower() or needle in title.lower()) and len(value) <= LONGEST
    ]
    offered = suggest_titled(typed, titles)
    assert [one.value for one in offered] == sorted(fitting, key=rank)[:MOST]
    for one in offered:
        alike = [t for t in titles.values() if t[: LONGEST - 1] == titles[one.value][: LONGEST - 1]]
        assert len(one.name) <= LONGEST
        if len(alike) == 1 and len(titles[one.value]) <= LONGEST:
            assert one.name == titles[one.value]


@given(st.lists(words, unique=True, max_size=40), needles)
def test_without_titles_the_value_itself_is_read(values: list[str], typed: str) -> None:
    """The same as with each as its own title."""
    plainly = suggest(typed, iter(values))
    assert plainly == suggest_titled(typed, {value: value for value in values})
    assert all(one.name == one.value for one in plainly)


def test_two_titles_that_read_the_same_are_told_apart_also_if_one_is_not_offered() -> None:
    """Both carry their value: whoever types on may get the other one."""
    titles = {f"bot-{number:02}": "Same" for number in range(30)} | {"zed": "Other"}
    offered = suggest_titled("bot-07", titles)
    assert [(one.name, one.value) for one in offered] == [("Same (bot-07)", "bot-07")]
    assert [one.name for one in suggest_titled("oth", titles)] == ["Other"]


def test_bots_are_offered_by_how_they_match_then_the_worst_first() -> None:
    """Not the first twenty-five by name; and only where the command makes sense."""
    phases = {"shop-a": Phase.RUNNING, "shop-z": Phase.ERROR, "my-shop": Phase.CRASH_LOOPING}
    phases |= {"shop-m": Phase.STOPPED, "other": Phase.ERROR, "shop-r": Phase.REMOVING}
    views = [View(replace(BOT, name=name), phase=phase) for name, phase in phases.items()]

    def offered(act: Act) -> list[str]:
        return [one.value for one in suggest_bots("SHOP", act, views)]

    assert offered(BOT_SHOW) == ["shop-z", "shop-r", "shop-m", "shop-a", "my-shop"]
    assert offered(BOT_STOP) == ["shop-z", "shop-a", "my-shop"]
    assert offered(BOT_START) == ["shop-z", "shop-m"]
    many = [View(replace(BOT, name=f"b{n:03}"), phase=Phase.RUNNING) for n in range(300)]
    many.append(View(replace(BOT, name="zz"), phase=Phase.ERROR))
    found = suggest_bots("", BOT_RESTART, many)
    assert len(found) == MOST
    assert found[0].value == "zz"
