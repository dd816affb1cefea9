"""OpenClaw itself judges the configs that the template renders, all in one container.
Next door: samples.py makes the bots; test_conversation.py runs one of them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import docker
import pytest

from controller.catalog import Template, rendered_files
from tests.openclaw import samples

MOUNT = "/etc/openclaw"
# Takes the file of a config; prints its name if it will do, else why not. Two at a time.
JUDGE = """
if told=$(OPENCLAW_CONFIG_PATH="$1" node openclaw.mjs config validate 2>&1)
then echo "accepted ${1##*/}"
else printf 'refused %s: %s\\n' "${1##*/}" "$(echo "$told" | tr '\\n' ' ')"
fi
"""
ALL = f"ls {MOUNT}/*.json | xargs -P 2 -n 1 sh {MOUNT}/judge"
ENV = {
    "OPENCLAW_CONFIG_READONLY": "1",
    "OPENCLAW_STATE_DIR": "/home/node/.openclaw",
    "XDG_CACHE_HOME": "/tmp/.cache",
    "NO_COLOR": "1",
}
UNKNOWN_KEY = "nonsense"


def judged(client: docker.APIClient, image: str, folder: Path) -> dict[str, str]:
    """What OpenClaw says of each config in the folder: "" or why not, by the file's name."""
    (folder / "judge").write_text(JUDGE)
    folder.chmod(0o755)
    host = client.create_host_config(
        binds={str(folder): {"bind": MOUNT, "mode": "ro"}},
        network_mode="none",
        mem_limit="2g",
        read_only=True,
        cap_drop=["ALL"],
        tmpfs={"/tmp": "size=256m", "/home/node/.openclaw": "uid=1000,gid=1000,mode=0700"},
    )
    made = client.create_container(
        image, entrypoint=["sh", "-c", ALL], command=[], environment=ENV, host_config=host
    )
    try:
        client.start(made)
        client.wait(made, timeout=1500)
        lines = client.logs(made, stderr=False).decode().splitlines()
    finally:
        client.remove_container(made, force=True, v=True)
    found = {}
    for line in lines:
        verdict, _, rest = line.partition(" ")
        name, _, why = rest.partition(": ")
        assert verdict in {"accepted", "refused"}, line
        found[name] = why or ("" if verdict == "accepted" else "without a word")
    return found


def plugins_of(client: docker.APIClient, image: str, template: Template) -> set[str]:
    """Which of the channels' plugins the image has."""
    listing = ["ls", "/app/dist/extensions"]
    made = client.create_container(image, entrypoint=listing, command=[], network_disabled=True)
    try:
        client.start(made)
        client.wait(made, timeout=60)
        return set(client.logs(made).decode().split()) & set(template.channels)
    finally:
        client.remove_container(made, force=True, v=True)


@pytest.mark.timeout(1600)
def test_openclaw_accepts_the_config_of_every_provider_and_channel(
    docker_client: docker.APIClient,
    openclaw_image: str,
    template: Template,
    tmp_path: Path,
    measured: list[tuple[str, str]],
) -> None:
    """All pairs, and every choice of every setting; a config with an unknown key is refused."""
    bots = [*samples.plain(template), *samples.chosen(template)]
    there = plugins_of(docker_client, openclaw_image, template)
    controls = []
    for bot in bots:
        (file,) = rendered_files(template, bot)
        (tmp_path / f"{bot.name}.json").write_text(file.text)
    for channel in sorted(there):
        (file,) = rendered_files(template, samples.bot(template, "anthropic", channel))
        broken = json.loads(file.text)
        broken["channels"][channel][UNKNOWN_KEY] = True
        controls.append(f"broken.{channel}.json")
        (tmp_path / controls[-1]).write_text(json.dumps(broken))
    began = time.monotonic()
    found = judged(docker_client, openclaw_image, tmp_path)
    took = time.monotonic() - began
    # Where the plugin is missing, its part of the config is not looked at: say so.
    assert "telegram" in there
    unseen = sorted(set(template.channels) - there)
    measured.append(("configs judged by OpenClaw", f"{len(bots)} in {took:.0f} s"))
    measured.append(("channels without plugin in the image", ", ".join(unseen) or "none"))
    assert len(bots) >= len(template.providers) * len(template.channels)
    assert set(found) == {f"{bot.name}.json" for bot in bots} | set(controls)
    refused = {name: why for name, why in found.items() if why}
    assert set(refused) == set(controls), refused
    assert all(UNKNOWN_KEY in why for why in refused.values()), refused
