"""What the code says in Discord, read from its text: the sentences that a catalogue must have."""

from __future__ import annotations

import ast
import asyncio
import re
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TypeVar

from controller.chat.languages import speak
from tests.conftest import ROOT

BUILTIN = sorted((ROOT / "controller/catalog/builtin").glob("*.toml"))
CHAT = ROOT / "controller" / "chat"
# Only whoever starts BotMaker reads these: the console says it, in English.
CONSOLE = {"survey.py", "login.py", "footprint.py", "discord_check.py", "client.py"}
NOTHING = re.compile(r"(?!)")
BELOW = ("manager", "domain", "fleet", "loop", "vault", "catalog", "runtime", "services", "store")
ERRORS = {
    *re.findall(r"^class (\w+)\(", (ROOT / "controller/domain/errors.py").read_text(), re.M),
    *("Problem", "Finding"),
}
_MARK = re.compile(r"<[@#/:]?\w*[:!&]?|:[RftF]>|https?://\S*|`/[a-z ]+`")
# Calls whose texts nobody reads: ids, formats, keys, log messages; and what Discord translates.
_UNREAD = {
    *("address", "getattr", "strftime", "encode", "Queue", "compile", "create_task", "get"),
    *("removeprefix", "startswith", "partition", "remember", "recall", "text_file", "Choice"),
    *("Command", "Group", "describe", "rename", "command", "__init__", "replace", "sub"),
    *("debug", "info", "warning", "error", "exception", "poke"),
}
_UNREAD_KEYWORDS = {"custom_id", "name", "nonce", "filename", "key"}
_FIRST_IS_READ = {"button", "select"}


T = TypeVar("T")


def in_language(language: str, make: Callable[[], T]) -> T:
    """What it makes where that language is spoken."""

    async def task() -> T:
        await speak(language)
        return make()

    return asyncio.run(task())


def chat_modules() -> list[Path]:
    """Every module that says something in Discord."""
    return [
        path
        for path in sorted(CHAT.rglob("*.py"))
        if path.name not in CONSOLE and path.parent.name != "languages"
    ]


@cache
def tree_of(path: Path) -> ast.Module:
    """A module's syntax without its docstrings."""
    tree = ast.parse(path.read_text())
    _drop_docstrings(tree)
    return tree


def _drop_docstrings(node: ast.Module | ast.stmt) -> None:
    body = getattr(node, "body", ())
    for at, one in enumerate(body):
        if at == 0 and isinstance(one, ast.Expr) and _is_text(one.value):
            body[0] = ast.Pass()
        elif isinstance(one, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            _drop_docstrings(one)


def _is_text(node: object) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def called(node: ast.Call) -> str:
    """The name of what is called."""
    target = node.func
    if isinstance(target, ast.Attribute):
        return target.attr
    return target.id if isinstance(target, ast.Name) else ""


def template(node: ast.AST) -> str | None:
    """A text or an f-string with a placeholder for each value; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part) or "{}" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = template(node.left), template(node.right)
        return None if left is None and right is None else (left or "{}") + (right or "{}")
    return None


def texts(node: ast.AST) -> Iterator[str]:
    """Every text of an expression, whichever way it goes."""
    whole = template(node)
    if whole is not None:
        yield whole
        return
    if isinstance(node, ast.Call | ast.Subscript | ast.Compare | ast.GeneratorExp | ast.ListComp):
        return
    for child in ast.iter_child_nodes(node):
        yield from texts(child)


def worded(text: str) -> bool:
    """Whether there are words in it, rather than marks and placeholders."""
    return bool(re.search(r"[^\W\d_]{2,}", re.sub(r"\{\w*\}", "", _MARK.sub("", text))))


def like_a_sentence(text: str) -> bool:
    """Whether it looks like something to read: several words, or a capital at its beginning."""
    return worded(text) and bool(
        re.search(r"\s\S|…$", text.strip()) or re.match(r"\W*[A-Z][a-z]", text)
    )


def constants(tree: ast.Module) -> dict[str, ast.expr]:
    """What a module's names in capitals stand for."""
    found: dict[str, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            found[node.target.id] = node.value
    return found


@cache
def said() -> frozenset[str]:
    """Every text that chat says."""
    every = {
        name: value for path in chat_modules() for name, value in constants(tree_of(path)).items()
    }
    found: set[str] = set()
    for path in chat_modules():
        own = {**every, **constants(tree_of(path))}
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and called(node) == "say" and node.args:
                found.update(texts(node.args[0]))
                found.update(_named(node.args[0], own))
    for value in every.values():
        found.update(text for text in _listed(value) if like_a_sentence(text))
    return frozenset(text for text in found if worded(text)) - {
        word for pair in _pairs() for word in pair
    }


def _listed(node: ast.AST) -> Iterator[str]:
    """Every text of a constant, but for patterns and what Discord translates."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif not (isinstance(node, ast.Call) and called(node) in _UNREAD):
        for child in ast.iter_child_nodes(node):
            yield from _listed(child)


def _named(asked: ast.expr, known: dict[str, ast.expr]) -> Iterator[str]:
    """The texts of the constants that an expression takes one of, and of its default."""
    for node in ast.walk(asked):
        if isinstance(node, ast.Name) and node.id in known:
            value = known[node.id]
            yield from texts(ast.Tuple(value.values) if isinstance(value, ast.Dict) else value)
        elif isinstance(node, ast.Call) and called(node) == "get":
            yield from texts(ast.Tuple(node.args[1:]))


@cache
def counted() -> frozenset[str]:
    """Every word that chat counts, in the singular."""
    found = {one for one, _ in _pairs()}
    for path in chat_modules():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and called(node) == "plural" and len(node.args) > 1:
                found.update(texts(node.args[1]))
    return frozenset(found)


def _pairs() -> Iterator[tuple[str, str]]:
    """The words, for one and for several, that a module takes from a table: `plural(n, *words)`."""
    for path in chat_modules():
        tree = tree_of(path)
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        if any(called(one) == "plural" and isinstance(one.args[1], ast.Starred) for one in calls):
            for value in constants(tree).values():
                for node in ast.walk(value):
                    if isinstance(node, ast.Tuple) and len(node.elts) == 2:
                        one, many = (template(part) for part in node.elts)
                        if one and many:
                            yield one, many


@cache
def raised(elsewhere: re.Pattern[str] = NOTHING) -> frozenset[str]:
    """Message and hint of every error, and what the doctor finds; not of the modules `elsewhere`,
    whose errors nobody reads in Discord."""
    found: set[str] = set()
    folders = [ROOT / "controller" / one for one in BELOW]
    paths = [
        path
        for folder in folders
        for path in sorted(folder.rglob("*.py"))
        if not elsewhere.search(str(path.relative_to(ROOT)))
    ]
    for path in [*paths, *chat_modules()]:
        own = constants(tree_of(path))
        for node in ast.walk(tree_of(path)):
            if not (isinstance(node, ast.Call) and called(node) in ERRORS):
                continue
            hints = [one.value for one in node.keywords if one.arg in {"message", "hint", "remedy"}]
            for asked in (*node.args, *hints):
                value = own.get(asked.id, asked) if isinstance(asked, ast.Name) else asked
                found.update(text for text in texts(value) if like_a_sentence(text))
    return frozenset(found)


@cache
def labels() -> frozenset[str]:
    """What the built-in templates call their inputs, which a modal shows."""
    every = "\n".join(path.read_text() for path in BUILTIN)
    return frozenset(re.findall(r'(?m)^label = "(.*)"$', every))


@cache
def of_templates() -> frozenset[str]:
    """What the built-in templates say: titles, descriptions, labels, hints."""
    found: set[str] = set()
    for path in BUILTIN:
        found.update(_read_of(tomllib.loads(path.read_text())))
    return frozenset(found)


def _read_of(table: object) -> Iterator[str]:
    if isinstance(table, list):
        for one in table:
            yield from _read_of(one)
    elif isinstance(table, dict):
        for key, value in table.items():
            if key in {"title", "description", "label", "hint", "says"} and isinstance(value, str):
                yield value
            else:
                yield from _read_of(value)


@cache
def anywhere() -> str:
    """The controller's whole text but the console's: literals in one piece, placeholders bare."""
    console = ROOT / "controller" / "cli"
    texts = [
        path.read_text()
        for path in (ROOT / "controller").rglob("*.py")
        if not path.is_relative_to(console)
    ]
    every = "\n".join([*texts, *of_templates()])
    every = re.sub(r"""["']\s*\n\s*f?["']""", "", every).replace('\\"', '"').replace("\\'", "'")
    return every + re.sub(r"\{[^{}\n]*\}", "{}", every)


def bare(text: str) -> str:
    """A text whose placeholders have no names."""
    return re.sub(r"\{\w*\}", "{}", text)


def unsaid(path: Path) -> Iterator[tuple[int, str]]:
    """Texts in the functions of a module that look like sentences, and aren't said."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for statement in node.body:
                yield from _outside(statement)


def _outside(node: ast.AST) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Raise | ast.Assert | ast.Compare | ast.FunctionDef | ast.ClassDef):
        return
    text = template(node)
    if text is not None and not isinstance(node, ast.BinOp):
        if like_a_sentence(bare(text)):
            yield node.lineno, text  # type: ignore[attr-defined]
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.Constant):
                yield from _outside(child)
        return
    if isinstance(node, ast.Call):
        yield from _outside_call(node)
        return
    children = [node.value] if isinstance(node, ast.Subscript) else ast.iter_child_nodes(node)
    if isinstance(node, ast.Dict):
        children = node.values
    for child in children:
        yield from _outside(child)


def _outside_call(node: ast.Call) -> Iterator[tuple[int, str]]:
    name = called(node)
    if name == "encode":
        return
    if isinstance(node.func, ast.Attribute):
        yield from _outside(node.func.value)
    if name in _UNREAD | ERRORS:
        return
    arguments = node.args
    if name in {"say", "plural"}:
        arguments = []
    elif name in _FIRST_IS_READ:
        arguments = node.args[:1]
    for argument in arguments:
        yield from _outside(argument)
    for keyword in node.keywords:
        if keyword.arg not in _UNREAD_KEYWORDS:
            yield from _outside(keyword.value)
