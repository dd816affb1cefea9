// What the controller tells: events, each kept once and acknowledged one by one, and its fleet.
import { answer, bodyOf, parsed, problem, tooLarge } from "./answers.js";
import { TO_WORKER, WINDOW_SECONDS, verified } from "./signing.js";

const BODY_MOST = 1_048_576;
const EVENTS_MOST = 500;
const ROW_MOST = 200_000; // characters of an event's data
const KINDS = new Set(["lifecycle", "worker_deployment", "config_change", "health_check", "request", "access", "other"]);
const ID = /^[A-Za-z0-9._:-]{1,128}$/;

/**
 * The body of a signed call of the controller's, as `{value}`; or `{refused}`, an answer.
 * A call that was taken before isn't taken again.
 */
export async function signedCall(request, env, now) {
  if (!request.headers.get("webhook-signature")) return { refused: notSigned() }; // before its body is read
  const body = await bodyOf(request, BODY_MOST);
  if (body === null) return { refused: tooLarge(BODY_MOST) };
  const url = new URL(request.url);
  const call = { method: request.method, target: url.pathname + url.search, body, headers: request.headers };
  const found = await verified(env.EDGE_KEYS, TO_WORKER, call, now);
  if (found.wrong === "clock-off") return { refused: clockOff(found.seconds) };
  if (found.wrong) return { refused: notSigned() };
  const sql = "INSERT OR IGNORE INTO calls (id, until) VALUES (?1, ?2)";
  const taken = await env.DB.prepare(sql).bind(found.id, now + 2 * WINDOW_SECONDS).run();
  if (taken.meta.changes === 0) return { refused: problem(409, "call-repeated", "This call was taken before.") };
  const value = parsed(body);
  return value === null ? { refused: problem(400, "bad-input", "The body must be a JSON object.") } : { value };
}

function notSigned() {
  return problem(401, "not-signed", "This call isn't signed by the controller.", "Both sides need the same key: run botmaker edge deploy.");
}

export function clockOff(seconds) {
  const words = `The two clocks are ${Math.abs(seconds)} seconds apart; ${WINDOW_SECONDS} are allowed.`;
  return problem(401, "clock-off", words, "Set this machine's clock (timedatectl), then try again.", { seconds });
}

function reasonAgainst(event) {
  if (event === null || typeof event !== "object") return "it isn't an object";
  if (typeof event.id !== "string" || !ID.test(event.id)) return "its id can't be used";
  if (!Number.isSafeInteger(event.seq) || event.seq < 1) return "its number can't be used";
  if (!KINDS.has(event.kind)) return "its kind isn't known";
  if (typeof event.type !== "string" || event.type.length > 100) return "its type can't be used";
  if (typeof event.at !== "string" || event.at.length > 40) return "its time can't be used";
  if (event.data === null || typeof event.data !== "object") return "it has no data";
  return JSON.stringify(event.data).length > ROW_MOST ? "its data is too large" : "";
}

function rowOf(event) {
  const text = (value) => (typeof value === "string" ? value.slice(0, 200) : null);
  const { id, seq, kind, type, at, bot, wish, data } = event;
  return { id, seq, kind, type, at, bot: text(bot), wish: text(wish), data: JSON.stringify(data) };
}

const KEEP = `INSERT OR IGNORE INTO events (id, seq, kind, type, at, bot, wish, data, received_at)
SELECT value ->> 'id', value ->> 'seq', value ->> 'kind', value ->> 'type', value ->> 'at',
  value ->> 'bot', value ->> 'wish', value ->> 'data', ?2 FROM json_each(?1)`;
const END = `UPDATE wishes SET outcome = (SELECT value ->> 'data' FROM json_each(?1)
  WHERE value ->> 'wish' = wishes.id ORDER BY value ->> 'seq' DESC LIMIT 1)
WHERE outcome IS NULL AND id IN (SELECT value ->> 'wish' FROM json_each(?1))`;
const FLEET = `INSERT INTO fleet (site, state, received_at) VALUES (?1, ?2, ?3)
ON CONFLICT (site) DO UPDATE SET state = excluded.state, received_at = excluded.received_at`;

/** POST /internal/events: `{site, events, fleet?}`, answered with `{acked, rejected, wishes}`. */
export async function takeEvents(request, env, now) {
  const call = await signedCall(request, env, now);
  if (call.refused) return call.refused;
  const { site, events = [], fleet } = call.value;
  const bad = typeof site !== "string" || !ID.test(site) || !Array.isArray(events) || events.length > EVENTS_MOST;
  if (bad) return problem(400, "bad-input", `This needs a site, and ${EVENTS_MOST} events at most.`);
  const rows = [];
  const rejected = [];
  for (const event of events) {
    const reason = reasonAgainst(event);
    if (reason) rejected.push({ id: String(event?.id ?? "").slice(0, 128), reason });
    else rows.push(rowOf(event));
  }
  await env.DB.batch(await statements(env, site, rows, fleet, now));
  const newest = await env.DB.prepare("SELECT max(seq) AS seq FROM wishes").first("seq");
  return answer({ acked: rows.map((row) => row.id), rejected, wishes: newest ?? 0 });
}

async function statements(env, site, rows, fleet, now) {
  const found = [env.DB.prepare("SELECT 1")]; // a batch must not be empty
  if (rows.length > 0) found.push(env.DB.prepare(KEEP).bind(JSON.stringify(rows), now));
  const ends = rows.filter((row) => row.wish !== null && row.type === "edge.wish");
  if (ends.length > 0) found.push(env.DB.prepare(END).bind(JSON.stringify(ends)));
  if (fleet !== undefined) found.push(env.DB.prepare(FLEET).bind(site, JSON.stringify(fleet), now));
  return found;
}
