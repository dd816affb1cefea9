// How it all is: /health for machines, /status with the fleet as it was last told.
import { answer, problem } from "./answers.js";
import { asked } from "./gateway.js";

const CACHED_SECONDS = 10;
const PROBE_SECONDS = 2;
let cached = { until: 0, value: null };

async function within(seconds, work) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error("late")), seconds * 1000));
  return Promise.race([work, late]);
}

async function fleetOf(env) {
  return env.DB.prepare("SELECT state, received_at FROM fleet ORDER BY received_at DESC LIMIT 1").first();
}

async function parts(env, now) {
  const found = { worker: "ok", d1: "ok", tunnel: "ok", orchestrator: "ok" };
  let told = null;
  try {
    told = await within(PROBE_SECONDS, fleetOf(env));
  } catch {
    found.d1 = "down";
  }
  const reached = await asked(env, "/health", { method: "GET" }, PROBE_SECONDS);
  const down = typeof reached === "number" || reached.status >= 520;
  found.tunnel = down ? "down" : "ok";
  if (down) found.orchestrator = "unknown"; // it may be well, and only the way to it not
  else if (reached.status !== 200) found.orchestrator = "down";
  else found.orchestrator = (await reached.json().catch(() => ({}))).status === "ok" ? "ok" : "degraded";
  const outbox = told === null ? null : (JSON.parse(told.state).outbox ?? null);
  const last = told === null ? null : now - told.received_at;
  const well = Object.values(found).every((part) => part === "ok");
  return { status: found.d1 === "down" ? "down" : well ? "ok" : "degraded", ...found, outbox, last_told_seconds: last };
}

/** GET /health. Without the version nobody could tell a new Worker from the one before. */
export async function health(env, now) {
  if (now >= cached.until) cached = { until: now + CACHED_SECONDS, value: await parts(env, now) };
  const value = { ...cached.value, version: env.VERSION ?? "" };
  return answer(value, value.status === "down" ? 503 : 200);
}

/** GET /status: the fleet as the controller told it last, and how many seconds ago. */
export async function status(env, now) {
  const told = await fleetOf(env);
  if (told === null) return problem(404, "nothing-told", "The controller hasn't told anything yet.");
  return answer({ age_seconds: now - told.received_at, fleet: JSON.parse(told.state) });
}
