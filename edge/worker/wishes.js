// Wishes: what callers want of bots, kept until the controller fetches it, and how each ended.
import { answer, bodyOf, parsed, problem, tooLarge } from "./answers.js";
import { signedCall } from "./intake.js";
import { TO_CONTROLLER, keysOf, signatureOf } from "./signing.js";

const ACTIONS = new Set(["start", "stop", "restart", "update_config"]);
const BODY_MOST = 65_536;
const PAGE = 50;
const WAITING_MOST = 1000;
const ID = /^[A-Za-z0-9-]{8,64}$/;
const encoder = new TextEncoder();

function wanted(value) {
  const { id = crypto.randomUUID(), action, bot, settings = {}, ...more } = value;
  const strings = Object.values(settings ?? {}).every((one) => typeof one === "string");
  const good = typeof id === "string" && ID.test(id) && ACTIONS.has(action) && typeof bot === "string" && bot.length <= 64;
  const fits = settings !== null && typeof settings === "object" && !Array.isArray(settings) && strings;
  return good && fits && Object.keys(more).length === 0 ? { id, action, payload: JSON.stringify({ bot, settings }) } : null;
}

/** POST /api/v1/wishes: `{action, bot, settings?, id?}`. The same id again is the same wish. */
export async function makeWish(request, env, subject, now) {
  const body = await bodyOf(request, BODY_MOST);
  if (body === null) return tooLarge(BODY_MOST);
  const wish = wanted(parsed(body) ?? {});
  if (wish === null) return problem(422, "bad-wish", `A wish has an action (${[...ACTIONS].join(", ")}) and a bot.`);
  const waiting = await env.DB.prepare("SELECT count(*) AS n FROM wishes WHERE outcome IS NULL").first("n");
  if (waiting >= WAITING_MOST) return problem(503, "too-many-wishes", "Too many wishes wait for the controller.", "", {}, { "retry-after": "60" });
  const call = { id: wish.id, timestamp: String(now), method: "WISH", target: wish.action, body: encoder.encode(wish.payload), subject };
  const signature = await signatureOf(keysOf(env.EDGE_KEYS)[0], TO_CONTROLLER, call);
  const sql = `INSERT OR IGNORE INTO wishes (id, subject, action, payload, signed_at, signature, created_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)`;
  await env.DB.prepare(sql).bind(wish.id, subject, wish.action, wish.payload, call.timestamp, signature, now).run();
  const kept = await env.DB.prepare("SELECT * FROM wishes WHERE id = ?1").bind(wish.id).first();
  const same = kept.subject === subject && kept.action === wish.action && kept.payload === wish.payload;
  if (!same) return problem(409, "wish-taken", "There is another wish of that id.");
  return answer(shown(kept), 202, { location: `/api/v1/wishes/${wish.id}` });
}

function shown(row) {
  return { id: row.id, action: row.action, ...JSON.parse(row.payload), outcome: row.outcome === null ? null : JSON.parse(row.outcome) };
}

/** GET /api/v1/wishes/{id}: for whoever made it. */
export async function oneWish(env, id, subject) {
  const row = await env.DB.prepare("SELECT * FROM wishes WHERE id = ?1 AND subject = ?2").bind(id, subject).first();
  return row === null ? problem(404, "no-such-wish", "There is no such wish.") : answer(shown(row));
}

/** POST /internal/wishes: `{after}`; the controller fetches what follows, in order. */
export async function giveWishes(request, env, now) {
  const call = await signedCall(request, env, now);
  if (call.refused) return call.refused;
  const after = Number.isSafeInteger(call.value.after) ? call.value.after : 0;
  const sql = `SELECT seq, id, subject, action, payload, signed_at, signature FROM wishes
WHERE seq > ?1 ORDER BY seq LIMIT ${PAGE}`;
  const { results } = await env.DB.prepare(sql).bind(after).all();
  return answer({ wishes: results });
}
