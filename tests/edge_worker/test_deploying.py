"""`botmaker edge deploy`, `rollback` and `status`, by the use-cases, against a stand-in for
Cloudflare's API that serves what it is given. And wrangler's own deployment through the same."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from controller.domain.errors import BadSetting, ControllerError
from controller.domain.journal import Kind
from controller.domain.webhooks import Format, Webhook
from controller.manager.worker_deployments import (
    CRON,
    LIMITS,
    WorkerDeployments,
    WorkerPlan,
    WorkerTools,
)
from controller.services import worker_modules
from controller.vault import Fingerprints
from tests.conftest import ROOT
from tests.edge_worker.cloud import ACCOUNT, TOKEN, Cloud
from tests.edge_worker.node import JWT_KEYS, TOOLS, LocalWorker, Node, new_key
from tests.manager.rig import ANN_ASKS, INSTALL_KEY, Rig

VPC = "0199a2f4-1111-7222-8333-444455556666"


@dataclass
class Desk:
    """An admin who deploys, and the cloud."""

    rig: Rig
    cloud: Cloud
    plan: WorkerPlan

    @property
    def worker(self) -> WorkerDeployments:
        """The use-cases, as the plan says now."""
        tools = self.rig.house.tools
        return WorkerDeployments(
            WorkerTools(
                plan=self.plan,
                store=tools.store,
                journal=tools.journal,
                access=self.rig.manager.access,
                threads=tools.threads,
                fingerprints=Fingerprints(INSTALL_KEY),
                redactor=tools.redactor,
            )
        )

    async def served(self) -> str:
        """The version that answers now."""
        return str((await self.worker.status(ANN_ASKS)).health.get("version"))

    async def refused(self, what: str = "deploy") -> str:
        """The code with which it is refused."""
        with pytest.raises(ControllerError) as caught:
            await getattr(self.worker, what)(ANN_ASKS)
        return caught.value.code

    async def told(self) -> list[str]:
        """What the journal says of the Worker, oldest first."""
        return [str(one.data["what"]) for one in await self.rig.entries(Kind.WORKER)][::-1]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """An empty account."""
    (tmp_path / "site").mkdir()
    rig = Rig(tmp_path / "site")
    worker = LocalWorker(tmp_path / "cloud", new_key())
    texts = {
        "cloud.token": TOKEN,
        "edge.keys": worker.bindings["EDGE_KEYS"],
        "callers.keys": "\n".join(" ".join(pair) for pair in JWT_KEYS.items()),
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text + "\n")
    await rig.open()
    await Node.open(worker)
    async with Cloud(worker) as cloud:
        plan = WorkerPlan(
            url=worker.url,
            keys_file=tmp_path / "edge.keys",
            origin="http://127.0.0.1:9",
            account=ACCOUNT,
            token_file=tmp_path / "cloud.token",
            jwt_keys_file=tmp_path / "callers.keys",
            api=cloud.url,
            probe_seconds=4.0,
        )
        yield Desk(rig, cloud, plan)
    await worker.kill()
    data = b"".join(one.read_bytes() for one in rig.data.rglob("*") if one.is_file())
    for text in texts.values():
        assert text.encode() not in data, "a secret is in the data folder"
    await rig.kill()


async def test_the_first_deployment_serves_it_and_a_second_does_nothing(desk: Desk) -> None:
    """D1 has its tables, the cron is set; then nothing is uploaded again. 429 is waited out."""
    desk.cloud.busy = 1
    done = await desk.worker.deploy(ANN_ASKS)
    assert (done.changed, done.before, await desk.served()) == (True, "", done.version)
    assert desk.cloud.crons == ["17 * * * *"]
    tables = await desk.cloud.worker.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
    assert {"events", "wishes", "fleet", "calls"} <= {row["name"] for row in tables}
    desk.cloud.calls.clear()
    again = await desk.worker.deploy(ANN_ASKS)
    assert (again.changed, again.version) == (False, done.version)
    assert [one for one in desk.cloud.calls if not one.startswith("GET")] == []
    assert await desk.told() == ["deployed"]


async def test_a_new_version_and_back(desk: Desk) -> None:
    """Another origin is another version; a rollback serves the former one."""
    first = await desk.worker.deploy(ANN_ASKS)
    assert await desk.refused("rollback") == "no-former-worker"
    desk.plan = replace(desk.plan, origin="http://127.0.0.1:10")
    second = await desk.worker.deploy(ANN_ASKS)
    assert (second.before, await desk.served()) == (first.version, second.version)
    back = await desk.worker.rollback(ANN_ASKS)
    assert (back.version, await desk.served()) == (first.version, first.version)
    assert await desk.told() == ["deployed", "deployed", "rolled-back"]


async def test_a_version_that_cannot_be_served_leaves_the_old_one(
    desk: Desk, tmp_path: Path
) -> None:
    """Refused by the platform, or served and not answering: the one before answers on."""
    first = await desk.worker.deploy(ANN_ASKS)
    for file, text, code in (
        ("worker.js", "export default {", "worker-refused"),
        (
            "status.js",
            "export const health = () => { throw 1 }; export const status = health;",
            "worker-broken",
        ),
    ):
        home = shutil.copytree(ROOT / "edge/worker", tmp_path / f"{file}.d")
        (home / file).write_text(text)
        desk.plan = replace(desk.plan, home=home)
        assert await desk.refused() == code
        assert await desk.served() == first.version
    assert await desk.told() == ["deployed", "failed"]
    desk.plan = replace(desk.plan, home=None)
    assert (await desk.worker.deploy(ANN_ASKS)).changed is False


async def test_a_revoked_token_is_named_and_nothing_changes(desk: Desk) -> None:
    """And no answer, log or journal has a piece of it."""
    first = await desk.worker.deploy(ANN_ASKS)
    desk.cloud.token = "another"
    desk.plan = replace(desk.plan, origin="http://127.0.0.1:10")
    assert await desk.refused() == "cloudflare-token"
    assert await desk.served() == first.version


async def test_a_key_that_was_replaced_is_another_version(desk: Desk) -> None:
    """So that a deployment gives it to the Worker."""
    first = await desk.worker.deploy(ANN_ASKS)
    assert desk.plan.keys_file is not None
    desk.plan.keys_file.write_text(new_key())
    assert (await desk.worker.deploy(ANN_ASKS)).before == first.version


@pytest.mark.parametrize(
    ("service", "binding"),
    [
        ("way-home", {"type": "service", "name": "ORIGIN", "service": "way-home"}),
        (VPC, {"type": "vpc_service", "name": "ORIGIN", "service_id": VPC}),
    ],
)
async def test_a_service_is_bound_instead_of_an_address(
    desk: Desk, service: str, binding: dict[str, str]
) -> None:
    """Another Worker by its name, or a VPC service by its id; another one is another version."""
    desk.plan = replace(desk.plan, origin="", service=service)
    desk.cloud.services = {service: "127.0.0.1:9", "other": "127.0.0.1:9"}
    first = await desk.worker.deploy(ANN_ASKS)
    bindings = desk.cloud.versions[desk.cloud.served[0]].bindings
    assert binding in bindings
    assert "ORIGIN_URL" not in {one["name"] for one in bindings}
    desk.plan = replace(desk.plan, service="other")
    assert (await desk.worker.deploy(ANN_ASKS)).before == first.version
    desk.plan = replace(desk.plan, service="")
    with pytest.raises(BadSetting, match="BOTMAKER_EDGE_ORIGIN"):
        await desk.worker.deploy(ANN_ASKS)


async def test_events_go_on_by_themselves_once_the_worker_has_our_key(desk: Desk) -> None:
    """It refused our signature, so nothing more was sent; a deployment is what mends that."""
    webhook = Webhook(
        id="edge", name="edge-worker", format=Format.EDGE, host="x", fingerprint="x",
        events=("*",), created_at=1.0, created_by="settings", stopped=True,
        failures=1, failing_since=1.0, reason="the two keys differ",
    )  # fmt: skip
    async with desk.rig.store.transaction() as write:
        await write.add_webhook(webhook)
    await desk.worker.deploy(ANN_ASKS)
    row = await desk.rig.store.webhook("edge")
    assert row is not None
    assert (row.stopped, row.failures, row.reason) == (False, 0, "")


async def test_a_cloud_that_is_away_is_named(desk: Desk) -> None:
    """Nobody listens there."""
    desk.plan = replace(desk.plan, api="http://127.0.0.1:9/client/v4")
    assert await desk.refused() == "cloudflare-away"


async def test_wrangler_deploys_the_same(desk: Desk, tmp_path: Path) -> None:
    """Cloudflare's own tool sends the same modules, bindings and date to the same API as we do; and
    what it deployed answers."""
    desk.plan = replace(desk.plan, origin="http://127.0.0.1:9", service="way-home")
    desk.cloud.services = {"way-home": "127.0.0.1:9"}
    ours = desk.cloud.versions[await uploaded(desk)]
    place = tmp_path / "wrangler"
    place.mkdir()
    for name, text in worker_modules.worker_source().modules.items():
        (place / name).write_text(text)
    texts = {one["name"]: one.get("text", "") for one in ours.bindings}
    secrets = {name: texts.pop(name) for name in ("EDGE_KEYS", "JWT_KEYS")}
    (place / "secrets.json").write_text(json.dumps(secrets))
    config: dict[str, Any] = {
        "name": "botmaker",
        "main": worker_modules.MAIN,
        "no_bundle": True,
        "find_additional_modules": True,
        "rules": [{"type": "ESModule", "globs": ["**/*.js"]}],
        "compatibility_date": worker_modules.COMPATIBILITY,
        "workers_dev": True,
        "vars": {name: texts[name] for name in ("VERSION", "JWT_ISSUER", "ORIGIN_URL")},
        "triggers": {"crons": [CRON]},
        "services": [{"binding": "ORIGIN", "service": "way-home"}],
        "d1_databases": [
            {
                "binding": "DB",
                "database_name": "botmaker-edge",
                "database_id": desk.cloud.databases["botmaker-edge"],
            }
        ],
        "ratelimits": [
            {"name": name, "namespace_id": space, "simple": {"limit": limit, "period": 60}}
            for name, (space, limit) in LIMITS.items()
        ],
    }
    (place / "wrangler.json").write_text(json.dumps(config))
    desk.cloud.calls.clear()
    made = await asyncio.create_subprocess_exec(
        str(TOOLS / "node_modules/.bin/wrangler"),
        *("deploy", "--secrets-file", "secrets.json"),
        cwd=place,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "CI": "1",
            "WRANGLER_SEND_METRICS": "false",
            "CLOUDFLARE_API_BASE_URL": desk.cloud.url,
            "CLOUDFLARE_API_TOKEN": TOKEN,
            "CLOUDFLARE_ACCOUNT_ID": ACCOUNT,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(made.communicate(), 50)
    assert made.returncode == 0, (out.decode(), desk.cloud.calls)
    theirs = desk.cloud.versions[desk.cloud.served[0]]
    assert theirs.id != ours.id
    assert (theirs.main, theirs.date) == (ours.main, ours.date)
    assert theirs.modules == ours.modules
    assert by_name(theirs.bindings) == by_name(ours.bindings)
    assert desk.cloud.crons == [CRON]
    assert await desk.served() == texts["VERSION"]


async def uploaded(desk: Desk) -> str:
    """Deploy; the stand-in's id of what is served then."""
    await desk.worker.deploy(ANN_ASKS)
    return desk.cloud.served[0]


def by_name(bindings: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Each binding, in whatever order they came."""
    return {one["name"]: one for one in bindings}
