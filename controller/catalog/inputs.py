"""What a person is asked for: the secrets and fields of a bot, and the checks on each answer.

No message here contains an answer, a part of it or its length: the answer may be a secret, even
one typed into the wrong box.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from controller.catalog.parts import Name, OneLine, Part, Pattern, is_variable, refuse
from controller.domain.errors import BadInput
from controller.domain.keys import looks_like_key, promises_secret
from controller.domain.letters import ends_line, is_blank, named, unseen
from controller.domain.live import BOT_TOKENS, CHECKS
from controller.domain.names import same_word
from controller.domain.spec import SECRETS_TARGET

# Limits of the template format, in characters.
LABEL_MAX = 45  # short enough for the label of a form
HINT_MAX = 100  # fits into an empty box of a form; also ends "… doesn't look right: "
VALUE_MAX = 4000  # an answer
FIELD_MAX = 1000  # an answer on one line

Label = Annotated[OneLine, Field(max_length=LABEL_MAX)]
Hint = Annotated[OneLine, Field(max_length=HINT_MAX)]
Length = Annotated[int, Field(ge=1, le=VALUE_MAX)]


class SecretSpec(Part):
    """A secret that a person enters, or that BotMaker generates (`generate`) and never shows.

    The bot always gets it as a file. `env_file` sets a variable to the path of that file.
    `process_env` has a shell read the file into a variable of the bot's process, which is weaker.
    """

    name: Name
    label: Label = ""
    hint: Hint = ""
    pattern: Pattern = ""
    min_length: Length = 1
    max_length: Length = VALUE_MAX
    required: bool = True
    multiline: bool = False
    generate: Literal["hex32"] | None = None
    env_file: str = ""
    process_env: str = ""
    live_check: str = Field(default="", alias="check")
    unique: bool | None = None  # whether one bot only may have it; left out: tokens of bots

    @model_validator(mode="after")
    def _complete(self) -> SecretSpec:
        if not self.generated and not self.label.strip():
            refuse("needs a `label`, which names it in the form")
        if self.min_length > self.max_length:
            refuse("is larger than `max_length`", "min_length")
        self._check_delivery()
        if self.live_check and self.live_check not in CHECKS:
            refuse(f"isn't a known check; available: {', '.join(sorted(CHECKS))}", "check")
        if self.live_check and self.generated:
            refuse("can't be used with `generate`: no service knows a generated secret", "check")
        if self.unique is not None and self.generated:
            refuse("has no effect with `generate`: a generated secret is unique", "unique")
        return self

    def _check_delivery(self) -> None:
        for key, name in (("env_file", self.env_file), ("process_env", self.process_env)):
            if name and not is_variable(name):
                refuse("isn't a valid name for a variable", key)
        if self.env_file and not self.env_file.upper().endswith("_FILE"):
            refuse("must end in _FILE: the variable holds a path, never the secret", "env_file")

    @property
    def generated(self) -> bool:
        """Whether BotMaker generates it, so nobody is asked for it."""
        return self.generate is not None

    @property
    def only_once(self) -> bool:
        """Whether no two bots may have the same one."""
        return self.live_check in BOT_TOKENS if self.unique is None else self.unique

    @property
    def path(self) -> str:
        """The path of its file in the container."""
        return f"{SECRETS_TARGET}/{self.name}"

    def check(self, value: str) -> None:
        """Raise BadInput if this can't be the secret; the error says nothing of the value."""
        if not value:
            if self.required:
                raise self._bad("can't be empty")
            return
        core = value.strip("\n") if self.multiline else value
        if core != core.strip() or not core:
            raise self._bad("can't begin or end with a space or a line break")
        odd = unseen(core, "\n\t" if self.multiline else "")
        if odd:  # unnamed: it's part of the secret
            line = ends_line(odd) and not self.multiline
            raise self._bad(f"can't contain {'line breaks' if line else 'invisible characters'}")
        if len(value) > self.max_length:
            raise self._bad(f"is too long: use at most {self.max_length} characters")
        if len(value) < self.min_length:
            raise self._bad(f"is too short: use at least {self.min_length} characters")
        if self.pattern and not re.fullmatch(self.pattern, core, re.ASCII):
            advice = self.hint or "check that it's complete and nothing else came with it"
            raise self._bad(f"doesn't look right: {advice}")

    def _bad(self, what: str) -> BadInput:
        words = f"The {self.label or self.name} {_ended(what)}"
        return BadInput(words, code="bad-secret", inputs={self.name: words})


class FieldSpec(Part):
    """A setting that isn't secret. Items of a list are typed with commas or spaces between them.

    A `later` field isn't asked for at creation. `when` is the config that each choice adds.
    """

    name: Name
    label: Label
    hint: Hint = ""
    default: str = ""
    choices: Annotated[tuple[OneLine, ...], Field(strict=False)] = ()
    pattern: Pattern = ""
    required: bool = False
    is_list: bool = Field(default=False, alias="list")
    env: str = ""
    multiline: bool = False
    later: bool = False
    when: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _sound(self) -> FieldSpec:
        if promises_secret(self.name):
            refuse(
                "sounds like a secret, but everybody can see fields: declare it under [[secrets]]",
                "name",
            )
        if self.env:
            check_variable(self.env, "env")
        self._check_kind()
        if self.default:
            try:
                self.check(self.default)
            except BadInput as error:
                refuse(f"would be refused: {error.message}", "default")
        return self

    def _check_kind(self) -> None:
        if self.multiline and self.choices:
            refuse("can't be combined with `choices`", "multiline")
        if self.later and self.required and not self.default:
            refuse(
                "keeps the field out of the first form, so the field needs a `default` or "
                "`required = false`",
                "later",
            )
        if self.when and not self.choices:
            refuse("needs `choices`: it says what each of them adds to the config", "when")
        for index, choice in enumerate(self.choices if self.is_list else ()):
            if self.items(choice) != (choice,):
                refuse(
                    "can't contain spaces or commas, which separate the items of a list",
                    "choices",
                    index,
                )
        for choice in self.when:
            if choice not in self.choices:
                refuse(f"isn't one of the choices: {', '.join(self.choices)}", "when", choice)

    @property
    def longest(self) -> int:
        """The limit of an answer, in characters."""
        return VALUE_MAX if self.multiline else FIELD_MAX

    def items(self, value: str) -> tuple[str, ...]:
        """The items of a typed list, in order and without repeats; else the value alone."""
        if not self.is_list:
            return (value,) if value else ()
        return tuple(dict.fromkeys(item for item in re.split(r"[,\s]+", value) if item))

    def meant(self, item: str) -> str:
        """An item as its field spells it: a choice, `https://` or a code, typed in another case."""
        if self.choices:
            return same_word(item, {choice: choice for choice in self.choices}) or item
        if not self.pattern or self._fits(item):
            return item
        scheme, mark, rest = item.partition("://")
        tries = (scheme.lower() + mark + rest,) if mark else (item.upper(), item.lower())
        return next((one for one in tries if self._fits(one)), item)

    def _fits(self, item: str) -> bool:
        return re.fullmatch(self.pattern, item, re.ASCII) is not None

    def check(self, value: str) -> None:
        """Raise BadInput if the field can't have this value; the error says nothing of it."""
        items = self.items(value)
        if not items:
            if self.required:
                raise self._bad("can't be empty" + (f": {self.hint}" if self.hint else ""))
            return
        if len(value) > self.longest:
            raise self._bad(f"is too long: use at most {self.longest} characters")
        for item in items:
            self._check_item(item)

    def _check_item(self, item: str) -> None:
        odd = unseen(item, "\n\t" if self.multiline else "")
        if odd:
            line = ends_line(odd) and not self.multiline
            what = "line breaks" if line else f"the invisible character {named(odd)}"
            raise self._bad(f"can't contain {what}")
        if is_blank(item):
            raise self._bad("can't consist of invisible characters only")
        if looks_like_key(item):
            raise self._bad(
                "looks like a secret. Fields are shown to everybody: enter keys as secrets"
            )
        if self.choices and item not in self.choices:
            raise self._bad(f"must be one of: {', '.join(self.choices)}")
        if self.pattern and not self._fits(item):
            raise self._bad(f"doesn't look right: {self.hint or 'check the spelling'}")

    def _bad(self, what: str) -> BadInput:
        words = f"“{self.label}” {_ended(what)}"
        return BadInput(words, code="bad-field", inputs={self.name: words})


def tidy(spec: SecretSpec | FieldSpec, value: str) -> str:
    """A value as it was meant: line ends of one kind, no stray spaces around a single line.

    The items of a field are spelt as the field spells them. Nothing else of a secret is changed.
    """
    value = value.replace("\r\n", "\n").replace("\r", "\n")
    if spec.multiline:
        return value
    value = value.strip()
    if isinstance(spec, SecretSpec):
        return value
    if not spec.is_list:
        return spec.meant(value) if value else ""
    items, meant = spec.items(value), tuple(map(spec.meant, spec.items(value)))
    return value if items == meant else ", ".join(meant)


def check_variable(name: str, *where: str | int) -> None:
    """Refuse a variable whose name is invalid or sounds like a secret; `where` leads to it."""
    if not is_variable(name):
        refuse("isn't a valid name for a variable", *where)
    if promises_secret(name):
        refuse(
            "sounds like a secret, and `docker inspect` shows every variable: declare a secret, "
            "and put its path into a variable whose name ends in _FILE",
            *where,
        )


def _ended(sentence: str) -> str:
    """The sentence with a full stop; a hint may bring its own."""
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
