"""Generated rubbish for everything that takes words from outside: names, ids, templates, values.

The proofs' summary shows the seed; BOTMAKER_FUZZ_SEED runs the same inputs again. What must never
happen: a path outside the secrets root, a URL other than the intended one, an error that isn't
ours. Next door: test_fuzz_chat.py does the same for what comes through Discord."""

from __future__ import annotations

import contextlib
import os
import random
import re
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from docker import APIClient
from docker.errors import DockerException
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter

from controller.catalog import load
from controller.domain.errors import ControllerError
from controller.domain.events import STREAMS, LogQuery
from controller.domain.names import check_model, check_name, is_secret_name, new_bot_id
from controller.domain.spec import ContainerSpec
from controller.manager.logbook import parse_query
from controller.runtime import creation, observations
from controller.runtime.frames import read_lines
from controller.runtime.images import pin
from controller.runtime.networks import Network
from controller.runtime.validation import check_container, check_instance, check_ref, check_spec
from controller.vault import Redactor, Vault
from tests.prove.tally import Tally
from tests.prove.test_fuzz_inputs import Rubbish, mutated

CANONICAL = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
pytestmark = pytest.mark.timeout(300)  # in full; the short form takes seconds


@pytest.fixture
def rubbish(tally: Tally, request: pytest.FixtureRequest) -> Rubbish:
    """The generator of one test; the tally shows its seed."""
    seed = int(os.environ.get("BOTMAKER_FUZZ_SEED") or random.randrange(2**32))
    tally.notes.append(f"fuzz seed of {request.node.name}: {seed}")
    print(f"BOTMAKER_FUZZ_SEED={seed}")
    return Rubbish(seed)


def some(tally: Tally, short: int, full: int) -> range:
    """This many turns, counted."""
    count = tally.pick(short, full)
    tally.tried["fuzz inputs"] += count
    return range(count)


@contextlib.contextmanager
def only_ours(tally: Tally, given: object) -> Iterator[None]:
    """A ControllerError is fine; anything else is a defect, shown with what caused it."""
    try:
        yield
    except ControllerError as error:
        assert error.message, given  # noqa: PT017 - from any call in the block
    except AssertionError:
        raise
    except Exception as error:
        tally.lost["fuzz inputs"] += 1
        raise AssertionError(f"{type(error).__name__}: {error} by {given!r}"[:2000]) from error


def test_no_name_or_id_reaches_a_path_outside_the_secrets_root(
    tmp_path: Path, tally: Tally, rubbish: Rubbish
) -> None:
    """On real files: whatever is asked, everything beside and below the root stays as it was."""
    root = tmp_path / "a" / "secrets"
    outside = [tmp_path / "api_key", tmp_path / "a" / "api_key", tmp_path / "a" / "b" / "api_key"]
    for file in outside:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("theirs")
    vault, owner = Vault(root), (os.geteuid(), os.getegid())
    vault.open()
    (root / "stranger").mkdir()
    (root / "stranger" / "api_key").write_text("theirs")
    kept = snapshot(tmp_path, root)
    calls: list[Callable[[str, str], object]] = [
        lambda bot, name: vault.write(bot, {name: "value"}, owner),
        lambda bot, name: vault.check(bot, [name], owner),
        lambda bot, _: vault.read(bot),
        lambda bot, _: vault.names(bot),
        lambda bot, _: vault.folder(bot),
        lambda bot, _: vault.drop(bot),
    ]
    for turn in some(tally, 400, 15_000):
        bot = new_bot_id() if turn % 3 == 0 else rubbish.id(str(root))
        name = "api_key" if turn % 3 == 1 else rubbish.name()
        for call in calls:
            with only_ours(tally, (bot, name)):
                call(bot, name)
                assert CANONICAL.fullmatch(bot), f"{bot!r} was taken for an id"
    assert snapshot(tmp_path, root) == kept


def snapshot(folder: Path, root: Path) -> dict[str, str]:
    """Every file and folder; in the root only what isn't a bot's."""
    found = {}
    for path in folder.rglob("*"):
        below = path.relative_to(root).parts if path.is_relative_to(root) else ()
        if not (below and CANONICAL.fullmatch(below[0])):
            found[str(path)] = path.read_text() if path.is_file() else ""
    return found


def test_rules_for_names_take_only_what_is_safe(tally: Tally, rubbish: Rubbish) -> None:
    """What they accept has no separator, dot folder, control character or upper case."""
    safe = re.compile(r"[a-z0-9-]{1,32}")
    for _ in some(tally, 400, 15_000):
        text = rubbish.name()
        with only_ours(tally, text):
            assert safe.fullmatch(check_name(text)), text
        with only_ours(tally, text):
            assert re.fullmatch(
                r"(?!-)[^\x00-\x1f\x7f-\x9f\u202a-\u202e]{1,200}", check_model(text)
            ), text
        if is_secret_name(text):
            assert re.fullmatch(r"[a-z0-9_]{1,63}", text), text


class Recorder(BaseAdapter):
    """Answers every request with 404 and remembers the requests."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, str]] = []

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:
        assert request.url is not None
        self.seen.append((str(request.method), request.url))
        answer = Response()
        answer.status_code, answer.url, answer.request = 404, request.url, request
        answer._content = b'{"message": "none"}'
        return answer

    def close(self) -> None:
        """Do nothing: nothing is open."""


INTENDED = re.compile(
    r"/v1\.41/(containers/json|containers/botmaker-[0-9a-f-]{36}/json|containers/[A-Za-z0-9][\w.-]*/json"
    r"|volumes/botmaker-[0-9a-f-]{36}|networks|images/[A-Za-z0-9][\w.:/@-]*/json|images/create)",
    re.ASCII,
)


def test_no_word_reaches_another_url_of_the_engine(tally: Tally, rubbish: Rubbish) -> None:
    """With any ids and references, every request sent is exactly one of the intended ones."""
    client, recorder = APIClient(base_url="http://127.0.0.1:9", version="1.41"), Recorder()
    client.mount("http://", recorder)
    closing, network = threading.Event(), Network("botmaker-here", "here")
    calls: list[Callable[[str], object]] = [
        lambda text: creation.find_container(client, "here", text),
        lambda text: client.inspect_container(check_container(text)),
        lambda text: pin(client, check_ref(text), "never", closing),
        lambda text: creation.create(
            client, checked(text), check_instance("here"), network, closing
        ),
        lambda text: creation.create(client, checked(new_bot_id(), text), "here", network, closing),
        check_instance,
    ]
    for turn in some(tally, 500, 20_000):
        text = rubbish.id("/srv/secrets") if turn % 2 else rubbish.reference()
        for call in calls:
            with only_ours(tally, text), contextlib.suppress(DockerException):
                call(text)
    client.close()
    assert recorder.seen, "nothing was let through: then nothing was tried"
    for method, url in set(recorder.seen):
        path = unquote(urlsplit(url).path)
        assert INTENDED.fullmatch(path), (method, url)
        assert ".." not in path.split("/"), (method, url)
        assert "//" not in path, (method, url)
        assert method in {"GET", "POST"}, (method, url)


def checked(bot_id: str, image: str = "sha256:abc") -> ContainerSpec:
    """A spec with this id and image, if the gate accepts it."""
    spec = ContainerSpec(bot_id=bot_id, image=image, user="1000:1000", secrets_source="/srv/s")
    check_spec(spec)
    return spec


GOOD = """
schema = 1
id = "good"
title = "Good"
image = { ref = "example/good:1" }
run = { user = "1000:1000" }
"""


def test_a_template_text_loads_or_is_refused_with_a_line(
    tmp_path: Path, tally: Tally, rubbish: Rubbish
) -> None:
    """Inputs are cut, doubled, nested and spoiled copies of the built-in ones, and rubbish."""
    builtin = Path(__file__).parents[2] / "controller/catalog/builtin"
    seeds = [file.read_bytes() for file in sorted(builtin.glob("*.toml"))]
    healthy = tmp_path / "healthy"
    healthy.mkdir()
    (healthy / "good.toml").write_text(GOOD)
    file = tmp_path / "fuzzed.toml"
    for _ in some(tally, 60, 2_000):
        data = mutated(rubbish, rubbish.choice(seeds))
        file.write_bytes(data)
        with only_ours(tally, data):
            catalog = load(tmp_path, builtin=healthy)
            assert "good" in catalog.templates, data
            assert len(catalog.templates) + len(catalog.refused) == 2, data
            for refusal in catalog.refused:
                assert refusal.reason, data


def test_any_bytes_of_a_log_become_lines(tally: Tally, rubbish: Rubbish) -> None:
    """With frames cut anywhere, wrong lengths, bad UTF-8 and no timestamps, lines are clean."""
    redactor = Redactor()
    redactor.learn("bot", ["known-secret-value"])
    for _ in some(tally, 400, 14_000):
        data = b"".join(frame(rubbish) for _ in range(rubbish.number(6)))
        data = rubbish.spoil(data) if rubbish.number(2) else data
        cuts = sorted(rubbish.number(len(data) + 1) for _ in range(3))
        pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        query = LogQuery(
            lines=rubbish.choice((0, 1, 50, 10**9)), grep=rubbish.text(3),
            since=rubbish.choice((0.0, -1e300, 1e300, float("nan"))),
            stream=rubbish.choice(tuple(STREAMS.values())),
        )  # fmt: skip
        with only_ours(tally, (data, query)):
            lines = read_lines(pieces, query)
            texts = redactor.lines([line.text for line in lines])
            assert len(texts) == len(lines)
            assert not any("known-secret-value" in text for text in texts)
            assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", "".join(texts))


def frame(rubbish: Rubbish) -> bytes:
    """A frame of the engine's log, correct or nearly."""
    stamp = rubbish.choice((b"2026-01-01T00:00:00.1Z ", b"9999-99-99T ", b"", b"\xff\xfe "))
    text = rubbish.choice((rubbish.text(40).encode("utf-8", "surrogatepass"), rubbish.bytes(60)))
    text = rubbish.choice((text, b"key known-secret-value " + text, b"sk-ant-" + text)) + b"\n"
    size = len(stamp + text) + rubbish.choice((0, 0, 0, 0, 1, -1, 2**31))
    return struct.pack(">BxxxL", rubbish.number(4), max(0, size)) + stamp + text


def test_any_answer_of_an_engine_is_seen_or_refused_in_words(
    tally: Tally, rubbish: Rubbish
) -> None:
    """Inspections and list rows with parts missing, null, of a wrong type or of absurd size."""
    bot = new_bot_id()
    row = {
        "Id": "c" * 64, "Names": [f"/botmaker-{bot}"], "State": "running",
        "Status": "Up 3 minutes (healthy)", "Labels": {"botmaker.bot-id": bot},
    }  # fmt: skip
    health = {"Status": "unhealthy", "Log": [{"ExitCode": 1, "Output": "bad"}]}
    seen = {
        "Id": "c" * 64, "Name": f"/botmaker-{bot}", "RestartCount": 3,
        "State": {
            "Status": "exited", "ExitCode": 3, "OOMKilled": False, "Error": "no",
            "StartedAt": "2026-01-01T00:00:00.123456789Z", "FinishedAt": "0001-01-01T00:00:00Z",
            "Health": health,
        },
        "Config": {"Image": "sha256:a", "Labels": row["Labels"]},
    }  # fmt: skip
    for _ in some(tally, 400, 14_000):
        one, other = rubbish.bent(seen), rubbish.bent(row)
        with only_ours(tally, one):
            observations.observation(one)
        with only_ours(tally, other):
            observations.listed(other)


def test_any_question_to_a_log_is_a_query_or_an_answer_in_words(
    tally: Tally, rubbish: Rubbish
) -> None:
    """Takes since, grep, stream and lines as people (and forgers) type them."""
    for _ in some(tally, 300, 8_000):
        since = rubbish.choice(
            (rubbish.text(8), f"{rubbish.number(10**6)}{rubbish.choice('smhdx٣')}")
        )
        lines = rubbish.choice((None, 0, 1, -1, 1000, 10**30))
        given = (lines, since, rubbish.text(200), rubbish.choice((None, "stdout", rubbish.text(5))))
        with only_ours(tally, given):
            query = parse_query(*given, now=1_700_000_000.0)
            assert 1 <= query.lines <= 1000
            assert len(query.grep) <= 100
