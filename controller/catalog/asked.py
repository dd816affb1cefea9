"""What a person is asked for a bot: secrets and plain fields, and whether an answer will do.

No message here holds an answer, a part of it or its length: the answer may be a secret, also where
it was typed into the wrong box.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from controller.catalog.parts import Name, OneLine, Part, Pattern, is_variable, refuse
from controller.domain.errors import BadInput
from controller.domain.keys import looks_like_key, promises_secret
from controller.domain.live import CHECKS
from controller.domain.spec import SECRETS_TARGET

LABEL_MAX = 45  # Discord's limit for the label of an input
HINT_MAX = 100  # and for the text that stands in it while it is empty
VALUE_MAX = 4000  # and for what can be typed
FIELD_MAX = 1000  # of one line

Label = Annotated[OneLine, Field(max_length=LABEL_MAX)]
Hint = Annotated[OneLine, Field(max_length=HINT_MAX)]
Length = Annotated[int, Field(ge=1, le=VALUE_MAX)]


class SecretSpec(Part):
    """A secret: asked in a modal or, with `generate`, made by the controller and never shown.

    It is always a file. `env_file` sets a variable to that file's path; `process_env` has a shell
    read the file into a variable of the bot's own process, which is the weaker way.
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

    @model_validator(mode="after")
    def _complete(self) -> SecretSpec:
        if not self.generated and not self.label.strip():
            refuse("needs a `label`: it stands above the box that the secret is typed into")
        if self.min_length > self.max_length:
            refuse("is larger than `max_length`", "min_length")
        self._check_delivery()
        if self.live_check and self.live_check not in CHECKS:
            refuse(f"is no check that is known; there is: {', '.join(sorted(CHECKS))}", "check")
        if self.live_check and self.generated:
            refuse("asks a service about a secret that no service gave", "check")
        return self

    def _check_delivery(self) -> None:
        for key, name in (("env_file", self.env_file), ("process_env", self.process_env)):
            if name and not is_variable(name):
                refuse("is not a name that a variable can have", key)
        if self.env_file and not self.env_file.upper().endswith("_FILE"):
            refuse("must end in _FILE: the variable holds a path, never the secret", "env_file")

    @property
    def generated(self) -> bool:
        """Whether the controller makes it, so that nobody is asked."""
        return self.generate is not None

    @property
    def path(self) -> str:
        """Where the bot finds it."""
        return f"{SECRETS_TARGET}/{self.name}"

    def check(self, value: str) -> None:
        """Raise BadInput, without a trace of the value in it, when this cannot be the secret."""
        if not value:
            if self.required:
                raise self._bad("is empty", "Copy it from its provider and paste it here.")
            return
        core = value.strip("\n") if self.multiline else value
        if core != core.strip() or not core:
            raise self._bad(
                "has a space or a line break at its start or end", "Copy it again without them."
            )
        if any(_unwanted(character, self.multiline) for character in core):
            raise self._bad("has a line break or an invisible character in it", "Copy it again.")
        if len(value) > self.max_length:
            raise self._bad("is longer than it can be", self._again())
        if len(value) < self.min_length:
            raise self._bad("is shorter than it can be", self._again())
        if self.pattern and not re.fullmatch(self.pattern, core, re.ASCII):
            raise self._bad("does not have the form that it should have", self._again())

    def _again(self) -> str:
        return f"It looks like: {self.hint}. Copy it again." if self.hint else "Copy it again."

    def _bad(self, what: str, hint: str) -> BadInput:
        return BadInput(f"The {self.label or self.name} {what}.", hint=hint, code="bad-secret")


class FieldSpec(Part):
    """A setting that is no secret; a list is typed with commas or spaces between its items.

    `later` fields are not asked for at creation, `when` is config that comes with a choice.
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
            refuse("sounds like a secret; fields are shown to everybody: make it a secret", "name")
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
            refuse("makes no sense with `choices`", "multiline")
        if self.later and self.required and not self.default:
            refuse(
                "is not asked at creation, so it needs a `default` or `required = false`", "later"
            )
        if self.when and not self.choices:
            refuse("needs `choices`: it says what comes with each of them", "when")
        for index, choice in enumerate(self.choices if self.is_list else ()):
            if self.items(choice) != (choice,):
                refuse("has a space or a comma in it: these part a typed list", "choices", index)
        for choice in self.when:
            if choice not in self.choices:
                refuse(f"is not one of the choices: {', '.join(self.choices)}", "when", choice)

    @property
    def longest(self) -> int:
        """How many characters may be typed."""
        return VALUE_MAX if self.multiline else FIELD_MAX

    def items(self, value: str) -> tuple[str, ...]:
        """The items of a typed list, in order, each once; of a plain field the value itself."""
        if not self.is_list:
            return (value,) if value else ()
        return tuple(dict.fromkeys(item for item in re.split(r"[,\s]+", value) if item))

    def check(self, value: str) -> None:
        """Raise BadInput, without a trace of the value in it, when the field cannot be set so."""
        items = self.items(value)
        if not items:
            if self.required:
                raise self._bad("is empty", self.hint and f"Give: {self.hint}.")
            return
        if len(value) > self.longest:
            raise self._bad(f"is longer than {self.longest} characters", "Shorten it.")
        for item in items:
            self._check_item(item)

    def _check_item(self, item: str) -> None:
        if any(_unwanted(character, self.multiline) for character in item):
            what = (
                "an invisible character"
                if self.multiline
                else "a line break or an invisible character"
            )
            raise self._bad(f"has {what} in it", "Type it anew.")
        if looks_like_key(item):
            raise self._bad(
                "looks like a secret", "Fields are shown to everybody. Use `/bot secrets` for keys."
            )
        if self.choices and item not in self.choices:
            raise self._bad("is not one of its choices", f"Choose: {', '.join(self.choices)}.")
        if self.pattern and not re.fullmatch(self.pattern, item, re.ASCII):
            raise self._bad("does not have the form that it should have", self._like())

    def _like(self) -> str:
        return f"It looks like: {self.hint}." if self.hint else ""

    def _bad(self, what: str, hint: str) -> BadInput:
        return BadInput(f"The field {self.label} {what}.", hint=hint, code="bad-field")


def check_variable(name: str, *where: str | int) -> None:
    """Refuse a variable whose name is impossible or sounds like a secret."""
    if not is_variable(name):
        refuse("is not a name that a variable can have", *where)
    if promises_secret(name):
        refuse(
            "sounds like a secret, and every variable is shown by `docker inspect`: "
            "declare a secret and hand over its path in a name that ends in _FILE",
            *where,
        )


def _unwanted(character: str, multiline: bool) -> bool:
    if multiline and character in "\n\t":
        return False
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
