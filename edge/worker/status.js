// How it all is: /health for machines, /status with the fleet as it was last told.
import { answer, problem } from "./answers.js";
import { asked } from "./gateway.js";
import { TO_CONTROLLER, signedHeaders } from "./signing.js";

const CACHED_SECONDS = 10;
const PROBE_SECONDS = 2;
const PROBE = { method: "GET", target: "/internal/health", body: new Uint8Array() };
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
  // Signed, so it shows as well whether the controller takes what this Worker signs.
  const headers = await signedHeaders(env.EDGE_KEYS, TO_CONTROLLER, PROBE);
  const reached = await asked(env, PROBE.target, { method: "GET", headers }, PROBE_SECONDS);
  const down = typeof reached === "number" || reached.status >= 520;
  found.tunnel = down ? "down" : "ok";
  found.orchestrator = down ? "unknown" : await orchestratorOf(reached); // it may be well, and only the way to it not
  const outbox = told === null ? null : (JSON.parse(told.state).outbox ?? null);
  const last = told === null ? null : now - told.received_at;
  const well = Object.values(found).every((part) => part === "ok");
  return { status: found.d1 === "down" ? "down" : well ? "ok" : "degraded", ...found, outbox, last_told_seconds: last };
}

/** In a word: ok, degraded, down; or refused and clock-off, where it doesn't take this Worker's signature. */
async function orchestratorOf(answer) {
  const told = await within(PROBE_SECONDS, answer.json()).catch(() => ({}));
  if (answer.status === 200) return told?.data?.status === "ok" ? "ok" : "degraded";
  if (answer.status !== 401) return "down";
  return told?.error?.code === "clock-off" ? "clock-off" : "refused";
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
