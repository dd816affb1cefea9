"""The journal arrives in D1: in order, each entry once, whatever happens on the way."""

from __future__ import annotations

from tests.edge_worker.conftest import Site


async def test_what_happens_arrives_once_and_in_order(site: Site) -> None:
    """With its kind, its bot and its words; and the row says that all is synced."""
    numbers = await site.happen(3)
    await site.drained()
    rows = await site.worker.rows("SELECT * FROM events WHERE kind = 'health_check' ORDER BY seq")
    assert [row["seq"] for row in rows] == numbers
    assert {(row["type"], row["bot"]) for row in rows} == {("bot.crash", "shop")}
    assert '"shop crashed' in rows[0]["data"]
    row = await site.row()
    assert (row.failures, row.dead, row.lost, row.reason) == (0, 0, 0, "")
