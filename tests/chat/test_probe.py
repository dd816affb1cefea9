import asyncio, time
async def test_probe(world):
    t=time.monotonic()
    a, ch = world.admin, world.channel
    r = await a.slash(ch, "bot create", name="shop", template="demo")
    print(time.monotonic()-t, r, r.response and r.response.content)
    for m in ch.history(): print("CARD", m.content, [c.label for row in m.components for c in row.children])
    dm = a.user.dm_channel.last_message
    print("DM", dm.content)
    await asyncio.sleep(1.7)
    for m in ch.history(): print("CARD", m.content, [c.label for row in m.components for c in row.children])
    s = await a.user.click(dm, label="Enter secrets")
    print(s.modal)
    t=time.monotonic()
    d = await a.user.submit_modal(s, {"api_key":"abcdefgh1","channel_token":"abcdefgh2","behaviour":"steady","interval":"2"})
    print(time.monotonic()-t, d, d.response.content)
    for m in ch.history(): print("CARD", m.content, [c.label for row in m.components for c in row.children])
    assert 0
