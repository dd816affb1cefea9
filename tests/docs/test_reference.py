"""The reference pages and the code name the same settings, commands, codes, phases and keys.

Both ways: what exists has its row, and what has a row exists. Next door: test_links.py, and
test_readme.py for the README.
"""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import discord
import pytest
from discord import app_commands
from docker.utils import kwargs_from_env
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from controller.catalog import inputs, tables
from controller.chat.requests.ways import WAYS
from controller.cli import outcome
from controller.cli.console import cli
from controller.domain import disk_words
from controller.domain.phase import Phase
from controller.runtime import options
from controller.runtime.memory import MemoryRuntime
from controller.settings import KNOWN, ONLY_COMPOSE, Settings
from demo.world import simulated
from tests.conftest import ROOT
from tests.docs.pages import DOCS, Cell, code_in, named_in, tables_with

COMMANDS = DOCS / "commands.md"
CONFIGURATION = DOCS / "configuration.md"
CODES = DOCS / "codes.md"
TEMPLATES = DOCS / "templates.md"


@cache
def sources() -> list[tuple[Path, ast.Module]]:
    """Every module of the controller, parsed."""
    found = sorted((ROOT / "controller").rglob("*.py"))
    return [(path, ast.parse(path.read_text())) for path in found]


# --- settings ----------------------------------------------------------------------------------


def dockers() -> set[str]:
    """Docker's variables that the runtime and its client library read."""
    read = (inspect.getsource(options), inspect.getsource(kwargs_from_env))
    return set(re.findall(r"\bDOCKER_[A-Z_]+\b", "".join(read)))


def composes() -> set[str]:
    """The variables that only compose.yaml reads."""
    return set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "compose.yaml").read_text()))


def test_every_setting_has_its_row_and_every_row_is_a_setting() -> None:
    """BotMaker's own, Docker's, and those of compose.yaml."""
    named = named_in(CONFIGURATION, "variable")
    assert len(named) == len(set(named))
    assert set(named) == {*KNOWN, *ONLY_COMPOSE} | dockers() | composes()


def test_every_default_of_a_setting_is_told_as_it_is() -> None:
    """What stands there, read as a setting, is the same as leaving it out."""
    default, told = Settings(docker={}), 0
    for table in tables_with(CONFIGURATION, "variable"):
        for variable, cell in zip(table.column("variable"), table.column("default"), strict=True):
            field = KNOWN.get(variable.code[0])
            if field is None or not cell.code:
                continue
            told += 1
            assert getattr(Settings(**{field: cell.code[0]}), field) == getattr(default, field)
    assert told >= 8


def test_the_example_file_has_every_setting_too() -> None:
    """To copy and fill in, with no name that nothing reads."""
    text = (ROOT / ".env.example").read_text()
    named = set(re.findall(r"^#?([A-Z_]+)=", text, re.MULTILINE))
    assert named == {*KNOWN, *ONLY_COMPOSE} | dockers() | composes()


# --- commands ----------------------------------------------------------------------------------


async def registered(folder: Path) -> list[app_commands.Command[Any, ..., Any]]:
    """Every command in the tree of a BotMaker that runs in a simulated Discord."""
    async with simulated(folder, runtime=MemoryRuntime()) as world:
        guild = discord.Object(world.guild.id)
        top = world.application.client.tree.get_commands(guild=guild)
    inner = [
        one
        for group in top
        if isinstance(group, app_commands.Group)
        for one in group.walk_commands()
    ]
    return [one for one in (*top, *inner) if isinstance(one, app_commands.Command)]


async def test_every_command_in_discord_has_its_row_with_its_options_and_its_role(
    tmp_path: Path,
) -> None:
    """As it is registered: `name?` may be left out."""
    (table,) = tables_with(COMMANDS, "command")[:1]
    told = {
        command.text: (set(options.code), role.text) for command, options, role, _ in table.rows
    }
    assert len(told) == len(table.rows)
    assert told == {
        f"/{command.qualified_name}": (
            {f"{p.name}{'' if p.required else '?'}" for p in command.parameters},
            WAYS[command.qualified_name].act.role.name.lower(),
        )
        for command in await registered(tmp_path)
    }


def usages(command: click.Command, path: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Every command of the console script, with the names of its options."""
    if isinstance(command, click.Group):
        if command.invoke_without_command:
            yield path, options_of(command)
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from usages(inner, f"{path} {name}")
        return
    yield path, options_of(command)


def options_of(command: click.Command) -> frozenset[str]:
    """The names of a command's options."""
    named = [p for p in command.params if isinstance(p, click.Option)]
    return frozenset(next(o for o in p.opts if o.startswith("--")) for p in named)


def test_every_command_of_the_console_has_its_row_with_its_options() -> None:
    """Several rows may tell the options of one command."""
    told: dict[str, frozenset[str]] = {}
    for usage in named_in(COMMANDS, "command"):
        if usage.startswith("botmaker"):
            words = re.match(r"[a-z-]+( [a-z][a-z-]*\b(?![A-Z]))*", usage)
            assert words is not None
            path = words[0]
            told[path] = told.get(path, frozenset()) | set(re.findall(r"--[a-z-]+", usage))
    assert told == dict(usages(cli, "botmaker"))


def test_every_target_of_make_has_its_row() -> None:
    """And `make help` can say what each does."""
    text = (ROOT / "Makefile").read_text()
    targets = {f"make {name}" for name in re.findall(r"^([a-z-]+):", text, re.MULTILINE)}
    assert {name for name in named_in(COMMANDS, "command") if name.startswith("make")} == targets
    said = re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE)
    assert {f"make {name}" for name in said} == targets


async def test_no_page_names_a_command_that_does_not_exist(tmp_path: Path) -> None:
    """Wherever it stands in code: in the README, in a table, in a decision."""
    chat = {f"/{command.qualified_name}" for command in await registered(tmp_path)}
    console, targets = dict(usages(cli, "botmaker")), set(named_in(COMMANDS, "command"))
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")):
        for code in code_in(page):
            if re.match(r"/(bot|fleet|access|help)\b", code):
                assert any(f"{code} ".startswith(f"{known} ") for known in chat), (page, code)
            elif re.match(r"botmaker [a-z]", code):
                assert any(f"{code} ".startswith(f"{known} ") for known in console), (page, code)
            elif code.startswith("make "):
                assert " ".join(code.split()[:2]) in targets, (page, code)


# --- phases, exit statuses, codes ----------------------------------------------------------------


def test_every_phase_has_its_row() -> None:
    """In the words that people see."""
    assert named_in(COMMANDS, "phase") == [phase.value for phase in Phase]


def test_every_exit_status_of_the_console_has_its_row() -> None:
    """Those that it chooses, that of a good end, and click's own for a mistake in typing."""
    chosen = {value for value in vars(outcome).values() if type(value) is int}
    statuses = {0, click.UsageError.exit_code, *chosen}
    assert [int(status) for status in named_in(CODES, "status")] == sorted(statuses)


# What only passes on a code that is counted elsewhere.
PASSED_ON = {
    ("disk_words.py", "code"),
    ("errors.py", "code"),
    ("errors.py", "self.code"),
    ("faults.py", "code"),
    ("files.py", "trouble.code"),
    ("problems.py", "code"),
    ("problems.py", "error.code"),
    ("resources.py", "problem.code"),
    ("resources.py", "code"),
    ("savings.py", "error.code"),
    ("controller_client.py", "code"),
    ("credentials.py", "_code_of(given.wrong, refused=bool(refused))"),
}


@cache
def codes() -> frozenset[str]:
    """Every code that an error of ours can carry: of the classes, of each raise, of disk faults."""
    found = {cause[2] for cause in disk_words._CAUSES.values()}
    for path, module in sources():
        constants = {
            target.id: node.value.value
            for node in ast.walk(module)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(module):
            if isinstance(node, ast.ClassDef) and path.name == "errors.py":
                for part in node.body:
                    if isinstance(part, ast.Assign) and ast.unparse(part.targets[0]) == "code":
                        found.add(ast.literal_eval(part.value))
            if isinstance(node, ast.keyword) and node.arg == "code":
                found |= _values(path.name, node.value, constants)
            if isinstance(node, ast.FunctionDef) and node.name == "_code_of":
                inside = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
                found |= {text for text in inside if isinstance(text, str) and "-" in text}
    return frozenset(code for code in found if " " not in code)


def _values(file: str, value: ast.expr, constants: dict[str, Any]) -> set[str]:
    """What a `code=` can be. Fails for one that it can't tell, so that none goes uncounted."""
    if isinstance(value, ast.Constant):
        return {value.value} if isinstance(value.value, str) else set()
    if isinstance(value, ast.Name) and isinstance(constants.get(value.id), str):
        return {constants[value.id]}
    if ast.unparse(value) == "f'unknown-{kind}'":
        return {"unknown-provider", "unknown-channel"}
    assert (file, ast.unparse(value)) in PASSED_ON, f"{file}: {ast.unparse(value)}"
    return set()


def test_every_code_is_kebab_case() -> None:
    """Found in the sources, wherever it is raised."""
    assert {"bad-input", "name-taken", "database-newer", "disk-full", "secret-in-use"} <= codes()
    assert [code for code in codes() if not re.fullmatch(r"[a-z]+(-[a-z]+)*", code)] == []


def test_every_code_has_its_row_and_every_row_is_a_code() -> None:
    """Whoever reads a code in an answer, the history or a log finds it there, once."""
    named = named_in(CODES, "code")
    assert len(named) == len(set(named))
    assert set(named) == codes()


# --- templates -----------------------------------------------------------------------------------

PARTS: dict[str, type[BaseModel]] = {
    "The file": tables.Tables,
    "`[image]`": tables.Image,
    "`[run]`": tables.Run,
    "`[run.resources]`": tables.Resources,
    "`[state]`": tables.State,
    "`[[seeds]]`": tables.Seed,
    "`[health]`": tables.HealthCheck,
    "`[[health.log]]`": tables.LogSign,
    "`[[secrets]]`": inputs.SecretSpec,
    "`[[fields]]`": inputs.FieldSpec,
    "`[providers.…]`": tables.Provider,
    "`[channels.…]`": tables.Channel,
    "`[….needs]`": tables.Needs,
    "`[[files]]`": tables.ConfigFile,
    "`[update]`": tables.Update,
    "`[validation]`": tables.Validation,
    "`[actions.…]`": tables.Action,
}


def within(model: type[BaseModel]) -> set[type[BaseModel]]:
    """The model and all that it has within it."""
    found, waiting = set[type[BaseModel]](), [model]
    while waiting:
        part = waiting.pop()
        found.add(part)
        texts = " ".join(str(field.annotation) for field in part.model_fields.values())
        waiting += [
            one
            for one in vars(tables).values()
            if isinstance(one, type) and issubclass(one, BaseModel) and one not in found
            if re.search(rf"\b{one.__name__}\b", texts)
        ]
    return found


def test_every_table_of_a_template_has_its_table() -> None:
    """All that a template can have in it."""
    assert set(PARTS.values()) == within(tables.Tables)
    assert [table.heading for table in tables_with(TEMPLATES, "key")] == list(PARTS)


@pytest.mark.parametrize("heading", PARTS)
def test_every_key_of_a_template_has_its_row_with_its_default(heading: str) -> None:
    """And every row is a key. A default in code is the true one, as TOML; a key that must be given
    has none."""
    (table,) = [t for t in tables_with(TEMPLATES, "key") if t.heading == heading]
    fields = {field.alias or name: field for name, field in PARTS[heading].model_fields.items()}
    told = {key.code[0]: default for key, default, _ in table.rows}
    assert len(told) == len(table.rows)
    assert set(told) == set(fields)
    for key, cell in told.items():
        field = fields[key]
        default = field.get_default(call_default_factory=True)
        required = default is PydanticUndefined or field.is_required()
        assert not (required and cell.text), key
        if cell.code:
            assert toml(cell) == (list(default) if isinstance(default, tuple) else default), key
        elif not required and key not in {"label", "resources"}:
            assert cell.text, key
            assert not default, key


def toml(cell: Cell) -> Any:
    """A value as it is written in a template."""
    return tomllib.loads(f"value = {cell.code[0]}")["value"]
