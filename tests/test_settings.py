"""Settings: defaults, files, ids, what is refused, and messages that never hold a value."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.app import catalog_of, live_checks
from controller.domain.errors import BadSetting
from controller.settings import Settings, docker_environment, load_settings, read_settings
from tests.services.standin import Standin

NEEDED = {"DISCORD_TOKEN": "fake-token", "GUILD_ID": "1", "ADMIN_CHANNEL_ID": "2"}


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An environment without any setting of ours."""
    for name in list(os.environ):
        if name.startswith(("BOTMAKER_", "DOCKER_")):
            monkeypatch.delenv(name)
    return


def loaded(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    for name, value in values.items():
        monkeypatch.setenv(f"BOTMAKER_{name}", value)
    return load_settings(None)


def from_file(folder: Path, content: str | bytes) -> Settings:
    """The settings of a `.env` file with this content."""
    file = folder / ".env"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return load_settings(str(file))


def test_the_defaults_are_those_of_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing set."""
    made = loaded(monkeypatch)
    assert (made.data_dir, made.secrets_dir) == (Path("data"), Path("secrets"))
    assert (made.http_listen, made.runtime) == ("127.0.0.1:7100", "engine")
    assert (made.log_format, made.log_level, made.templates_dir) == ("text", "INFO", None)
    assert made.admin_user_ids == made.viewer_role_ids == ()
    assert (made.live_checks, made.live_checks_base, made.images) == ("on", "", {})


def test_a_file_is_read_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`.env` is for what the environment does not say."""
    file = tmp_path / ".env"
    file.write_text("BOTMAKER_GUILD_ID=5\nBOTMAKER_LOG_LEVEL=DEBUG\nSOMETHING_ELSE=1\n")
    monkeypatch.setenv("BOTMAKER_GUILD_ID", "6")
    made = load_settings(str(file))
    assert (made.guild_id, made.log_level) == (6, "DEBUG")


def test_what_is_missing_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it in one sentence; complete it is quiet."""
    with pytest.raises(BadSetting) as caught:
        loaded(monkeypatch).require_discord()
    for name in NEEDED:
        assert f"BOTMAKER_{name}" in caught.value.message
    loaded(monkeypatch, **NEEDED).require_discord()
    with pytest.raises(BadSetting, match="BOTMAKER_GUILD_ID"):
        loaded(monkeypatch, GUILD_ID="").require_discord()


def test_the_token_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It wins, without its line break; one that cannot be read is said."""
    file = tmp_path / "token"
    file.write_text("from-the-file\n")
    made = loaded(monkeypatch, DISCORD_TOKEN="other", DISCORD_TOKEN_FILE=str(file))
    assert made.token() == "from-the-file"
    file.unlink()
    with pytest.raises(BadSetting, match="BOTMAKER_DISCORD_TOKEN_FILE"):
        made.token()
    for wrong in (b"\xff\xfe\xfa", b"x" * 4097):
        file.write_bytes(wrong)
        with pytest.raises(BadSetting, match="BOTMAKER_DISCORD_TOKEN_FILE"):
            made.token()


def test_the_token_is_not_in_any_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings may be logged."""
    made = loaded(monkeypatch, **NEEDED)
    assert made.token() == "fake-token"
    assert "fake-token" not in f"{made!r}{made}"


def test_ids_come_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spaces and a comma at the end do no harm; an empty one is none."""
    made = loaded(monkeypatch, ADMIN_USER_IDS=" 1, 22 ,333,", VIEWER_ROLE_IDS="")
    assert (made.admin_user_ids, made.viewer_role_ids) == ((1, 22, 333), ())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ADMIN_USER_IDS", "ann-secret"),
        ("ADMIN_USER_IDS", "1;2-secret"),
        ("ADMIN_ROLE_IDS", "12²"),
        ("GUILD_ID", "my-secret-guild"),
        ("GUILD_ID", "-17771"),
        ("RUNTIME", "kubernetes-secret"),
        ("HTTP_LISTEN", "7100-secret"),
        ("HTTP_LISTEN", "127.0.0.1:99999"),
        ("LOG_LEVEL", "LOUD-secret"),
        ("LOG_FORMAT", "xml-secret"),
        ("ALLOW_REMOTE_API", "perhaps-secret"),
        ("LIVE_CHECKS", "perhaps-secret"),
        ("IMAGES", "openclaw:secret"),
        ("IMAGES", "openclaw=fake secret:1"),
        ("IMAGES", "Open_Secret=fake:1"),
        ("IMAGES", "shop-secret="),
        ("IMAGES", "=openclaw:1"),
        ("IMAGES", "openclaw=-secret"),
        ("IMAGES", "a=secret:1,a=secret:2"),
    ],
)
def test_a_wrong_value_is_named_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """The variable and the reason; never what was set, it may be a token in the wrong place."""
    with pytest.raises(BadSetting) as caught:
        loaded(monkeypatch, **{name: value})
    assert f"BOTMAKER_{name}" in caught.value.message
    assert value not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_pages_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty means off here, and not set everywhere else."""
    assert loaded(monkeypatch, HTTP_LISTEN="", DATA_DIR="").http_listen == ""
    assert loaded(monkeypatch, HTTP_LISTEN="", DATA_DIR="").data_dir == Path("data")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080/api/v10",
        "ws://localhost:1",
        "http://[::1]:80/",
        "http://127.8.8.8/",
    ],
)
def test_a_simulated_discord_on_this_machine_is_fine(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """Loopback in every spelling."""
    assert loaded(monkeypatch, DISCORD_API_URL=url, DISCORD_GATEWAY_URL=url).discord_api_url == url


@pytest.mark.parametrize("subnet", ["10.201.0.0/20", "172.28.1.0/28", "192.168.0.0/16", ""])
def test_a_private_subnet_can_be_set(monkeypatch: pytest.MonkeyPatch, subnet: str) -> None:
    """In the usual form, or none."""
    monkeypatch.setenv("BOTMAKER_NETWORK_SUBNET", subnet)
    assert load_settings(None).network_subnet == subnet


@pytest.mark.parametrize(
    "subnet",
    [
        "10.0.0.1/24", "10.0.0.0/30", "8.8.8.0/24", "127.0.0.0/8", "169.254.0.0/16", "10.0.0.0",
        "fd00::/64", "224.0.0.0/8", "many", "10.0.0.0/4", "0.0.0.0/8", "172.0.0.0/8",
    ],
)  # fmt: skip
def test_any_other_subnet_is_refused(monkeypatch: pytest.MonkeyPatch, subnet: str) -> None:
    """Before the engine is asked, naming the setting and an example."""
    monkeypatch.setenv("BOTMAKER_NETWORK_SUBNET", subnet)
    with pytest.raises(BadSetting, match=r"BOTMAKER_NETWORK_SUBNET: must be .*10\.201\.0\.0/20"):
        load_settings(None)


@pytest.mark.parametrize("name", ["DISCORD_API_URL", "DISCORD_GATEWAY_URL"])
@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/api",
        "http://127.0.0.1.evil.example/",
        "http://localhost@evil.example/",
        "http://0.0.0.0/",
        "http://10.0.0.1/",
        "http://localhost.evil.example/",
        "http://localhost:80@evil.example/",
        "http://evil.example\\@localhost/",
        "http://evil.example/localhost",
        "http://xlocalhost/",
        "http://[::1",
        "evil",
    ],
)
def test_another_machine_does_not_get_the_token(
    monkeypatch: pytest.MonkeyPatch, name: str, url: str
) -> None:
    """Refused unless it was allowed in so many words."""
    with pytest.raises(BadSetting, match="BOTMAKER_ALLOW_REMOTE_API=1") as caught:
        loaded(monkeypatch, **{name: url})
    assert url not in str(caught.value)
    loaded(monkeypatch, ALLOW_REMOTE_API="1")


@pytest.mark.parametrize(
    ("value", "base"),
    [
        ("on", ""),
        ("off", ""),
        ("", ""),
        ("http://127.0.0.1:8090", "http://127.0.0.1:8090"),
        ("https://localhost:1/all", "https://localhost:1/all"),
        ("http://[::1]:9", "http://[::1]:9"),
    ],
)
def test_live_checks_are_on_or_off_or_of_a_stand_in(
    monkeypatch: pytest.MonkeyPatch, value: str, base: str
) -> None:
    """Only a URL becomes one."""
    made = loaded(monkeypatch, LIVE_CHECKS=value)
    assert (made.live_checks, made.live_checks_base) == (value or "on", base)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example",
        "http://127.0.0.1.evil.example/",
        "http://127.0.0.1@evil.example/",
        "http://evil@127.0.0.1/",
        "http://0.0.0.0:1/",
        "http://10.0.0.1/",
        "http://127.0.0.1:port/",
        "http://127.0.0.1/?to=evil",
        "http://127.0.0.1/#x",
        "http://[::1",
        "ftp://127.0.0.1/",
        "127.0.0.1:8091",
        "http://localhost.evil.example/",
        "ONLY",
    ],
)
def test_another_machine_does_not_get_the_bots_secrets(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """Refused in a sentence, also where a remote Discord is allowed: nothing allows this one."""
    with pytest.raises(BadSetting) as caught:
        loaded(monkeypatch, LIVE_CHECKS=url, ALLOW_REMOTE_API="1")
    assert "BOTMAKER_LIVE_CHECKS: must be on, off, or the http URL of a stand-in" in str(
        caught.value
    )
    assert url == "ONLY" or url not in str(caught.value)


def test_images_come_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """By template id; spaces and a comma at the end do no harm; a digest may be given."""
    digest = "registry.example:5000/a/b@sha256:" + "0" * 64
    made = loaded(monkeypatch, IMAGES=f" openclaw=openclaw:latest , other={digest},")
    assert made.images == {"openclaw": "openclaw:latest", "other": digest}


def test_other_images_reach_the_templates(monkeypatch: pytest.MonkeyPatch) -> None:
    """And only those that were named; what is no template is refused, with those there are."""
    before = catalog_of(loaded(monkeypatch))
    after = catalog_of(loaded(monkeypatch, IMAGES="openclaw=example/mine:7"))
    assert after.get("openclaw").image.ref == "example/mine:7"
    assert after.get("demo").image == before.get("demo").image
    with pytest.raises(
        BadSetting, match=r"BOTMAKER_IMAGES names .*`openclau`.* Available: demo, .*openclaw"
    ):
        catalog_of(loaded(monkeypatch, IMAGES="openclau=example/mine:7"))
    with pytest.raises(
        BadSetting, match="BOTMAKER_IMAGES gives `openclaw` an image with an invalid name"
    ):
        catalog_of(loaded(monkeypatch, IMAGES="openclaw=example//mine"))


async def test_the_settings_decide_who_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in of the URL, or nobody."""
    async with Standin() as standin:
        asked = live_checks(loaded(monkeypatch, LIVE_CHECKS=standin.url + "/"))
        verdicts = await asked.check({"key": ("openai", "fake-key-for-a-check")})
        await asked.close()
        assert (verdicts["key"].state, standin.seen) == ("accepted", ["openai"])
        silent = live_checks(loaded(monkeypatch, LIVE_CHECKS="off"))
        assert await silent.check({"key": ("openai", "fake-key-for-a-check")}) == {}
        assert standin.seen == ["openai"]
        assert standin.strange == []


def test_dockers_own_variables_are_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those and no others."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://1.2.3.4:2375")
    assert docker_environment() == {"DOCKER_HOST": "tcp://1.2.3.4:2375"}


def test_all_of_dockers_variables_may_stand_in_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The environment wins, also with an empty one; what is not Docker's stays out."""
    names = ("HOST", "TLS_VERIFY", "CERT_PATH", "CONTEXT", "CONFIG", "API_VERSION")
    given = {f"DOCKER_{name}": f"of-the-file-{name}" for name in names}
    text = "".join(f"{name}={value}\n" for name, value in given.items()) + "OTHER=1\n"
    assert from_file(tmp_path, text).docker == given
    monkeypatch.setenv("DOCKER_HOST", "tcp://1.2.3.4:2375")
    monkeypatch.setenv("DOCKER_CONTEXT", "")
    changed = {"DOCKER_HOST": "tcp://1.2.3.4:2375", "DOCKER_CONTEXT": ""}
    assert from_file(tmp_path, text).docker == given | changed


@pytest.mark.parametrize("name", ["DATA_DIR", "SECRETS_DIR", "TEMPLATES_DIR", "DISCORD_TOKEN_FILE"])
def test_a_path_at_home_is_expanded_or_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """No shell expands `~` in a file; a user that doesn't exist has no home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    made = from_file(tmp_path, f"BOTMAKER_{name}=~/deep/er")
    assert getattr(made, name.lower()) == tmp_path / "deep/er"
    with pytest.raises(BadSetting, match=f"BOTMAKER_{name}: begins with ~"):
        from_file(tmp_path, f"BOTMAKER_{name}=~nobody-by-this-name/x")
    with pytest.raises(BadSetting, match=f"BOTMAKER_{name}: begins with ~"):
        loaded(monkeypatch, **{name: "~nobody-by-this-name"})


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("BOTMAKER_GUILD", "BOTMAKER_GUILD_ID"),
        ("BOTMAKER_ADMIN_USERS", "BOTMAKER_ADMIN_USER_IDS"),
        ("botmaker_data_dri", "BOTMAKER_DATA_DIR"),
        ("BOTMAKER_TOKEN_FILE", "BOTMAKER_DISCORD_TOKEN_FILE"),
        ("BOTMAKER_DOCKER", ""),
        ("BOTMAKER_XYZZY", ""),
    ],
)
def test_an_unknown_name_comes_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, nearest: str
) -> None:
    """From the file and from the environment; those of compose.yaml are known."""
    (tmp_path / ".env").write_text(f"{name}=1\nBOTMAKER_HOME=/x\nBOTMAKER_GUILD_ID=1\n")
    assert read_settings(str(tmp_path / ".env")).unknown == {name.upper(): nearest}
    monkeypatch.setenv(name, "1")
    assert read_settings(None).unknown == {name.upper(): nearest}


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("LOG_LEVEL", "debug", "DEBUG"),
        ("LOG_LEVEL", "Warning", "WARNING"),
        ("LOG_FORMAT", "JSON", "json"),
        ("LIVE_CHECKS", "Off", "off"),
        ("RUNTIME", "Engine", "engine"),
    ],
)
def test_words_are_read_in_any_case(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, read: str
) -> None:
    """Spaces around them do no harm either."""
    assert getattr(loaded(monkeypatch, **{name: f" {value} "}), name.lower()) == read


@pytest.mark.parametrize("value", ["127.0.0.1:1", "[::1]:7100", "localhost:65535", "a-b.example:9"])
def test_an_address_to_listen_on(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """An address, an IPv6 one in brackets, or a host name, with a port."""
    assert loaded(monkeypatch, HTTP_LISTEN=value).http_listen == value


@pytest.mark.parametrize(
    "value",
    [
        *("7100", ":7100", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "a:b"),
        *("127.0.0.1:٧١٠٠", "127.0.0.1:-1", "127.0.0.1:1e3", "127.0.0.1:0007100", "::1:7100"),
        *("[::1:7100", "[127.0.0.1]:7100", "256.0.0.1:7100", "1.2:7100", "a..b:7100", "a b:7100"),
        *(".:7100", "http://127.0.0.1:7100", "-:1", "[]:1", "ä.example:1", f"{'a' * 300}:1"),
    ],
)
def test_what_is_no_address_to_listen_on_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """Before anything starts, with an example that is right."""
    with pytest.raises(BadSetting, match=r"BOTMAKER_HTTP_LISTEN: must look like 127\.0\.0\.1:7100"):
        loaded(monkeypatch, HTTP_LISTEN=value)


TEXT = "BOTMAKER_GUILD_ID=5\n# Grüße\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_from_any_editor_is_read(tmp_path: Path, encoding: str, end: str) -> None:
    """With a byte order mark, and with the line ends of Windows."""
    assert from_file(tmp_path, TEXT.replace("\n", end).encode(encoding)).guild_id == 5


@pytest.mark.parametrize(
    "content",
    [
        *(TEXT.encode(name) for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252")),
        *(TEXT.encode(name) for name in ("latin-1", "cp437")),
        "ЗАМЕТКА=да".encode("koi8-r"),
        "メモ=一".encode("shift-jis"),
        b"BOTMAKER_GUILD_ID=5\0\n",
        b"\x80" * 100,
        b"#" * 1_100_000,
    ],
    ids=range(12),
)
def test_a_file_that_is_no_text_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    """Whatever encoding it has; the environment alone is still read, for the doctor."""
    with pytest.raises(BadSetting, match=r"\.env can't be read: it is") as caught:
        from_file(tmp_path, content)
    assert caught.value.hint
    assert read_settings(str(tmp_path / ".env")).settings.guild_id == 0


def test_one_wrong_setting_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is wrong is named at once, and what is right is kept."""
    monkeypatch.setenv("BOTMAKER_GUILD_ID", "words")
    monkeypatch.setenv("BOTMAKER_LOG_LEVEL", "loud")
    monkeypatch.setenv("BOTMAKER_DISCORD_API_URL", "http://evil.example")
    monkeypatch.setenv("BOTMAKER_ADMIN_CHANNEL_ID", "7")
    reading = read_settings(None)
    assert set(reading.faults) == {
        "BOTMAKER_GUILD_ID",
        "BOTMAKER_LOG_LEVEL",
        "BOTMAKER_DISCORD_API_URL",
    }
    assert (reading.settings.guild_id, reading.settings.admin_channel_id) == (0, 7)
    assert reading.settings.discord_api_url == ""
