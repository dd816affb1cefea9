// The way to the controller's API: /api/v1/orchestrator/* here is /api/v1/* there, signed anew.
import { bodyOf, problem, tooLarge } from "./answers.js";
import { HEADERS, TO_CONTROLLER, signedHeaders } from "./signing.js";

export const PREFIX = "/api/v1/orchestrator/";
const BODY_MOST = 1_048_576;
const SECONDS = 30;
const PASSED_ON = ["accept", "content-type", "idempotency-key", "if-match", "if-none-match", "last-event-id", "prefer"];
const PASSED_BACK = ["content-type", "etag", "location", "retry-after", "idempotent-replayed", "x-request-id", "cache-control"];
// Already normal, so that nobody on the way can make another path of it.
const NORMAL = /^(?:\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$/;

/** The target at the controller of a request's address; empty where there is none. */
export function targetOf(url) {
  const { pathname, search } = new URL(url);
  const path = `/api/v1/${pathname.slice(PREFIX.length)}`;
  return pathname.startsWith(PREFIX) && NORMAL.test(path) ? path + search : "";
}

/**
 * Ask the controller: over the service binding where there is one, else at the tunnel's address.
 * A binding looks at no host; the controller knows that name as the one that bindings use.
 */
export async function asked(env, target, options, seconds = SECONDS) {
  const [binding, base] = [env.ORIGIN, env.ORIGIN_URL || "http://controller.internal"];
  const request = new Request(base + target, { ...options, redirect: "manual" });
  // Only until the answer begins: a stream goes on for longer.
  const control = new AbortController();
  const timer = setTimeout(() => control.abort(), seconds * 1000);
  try {
    const options = { signal: control.signal };
    return await (binding ? binding.fetch(request, options) : fetch(request, options));
  } catch {
    return control.signal.aborted ? 504 : 502;
  } finally {
    clearTimeout(timer);
  }
}

export function away(status) {
  if (status === 504) return problem(504, "controller-slow", "The controller didn't answer in time.", "Try again; GET /status has what it told last.");
  return problem(502, "controller-away", "The controller can't be reached.", "GET /status has what it told last.", {}, { "retry-after": "30" });
}

/** Pass a caller's request on, in their name. */
export async function passOn(request, env, subject) {
  const target = targetOf(request.url);
  if (!target) return problem(404, "no-such-path", "There is nothing at this path.");
  const body = await bodyOf(request, BODY_MOST);
  if (body === null) return tooLarge(BODY_MOST);
  const headers = new Headers();
  for (const name of PASSED_ON) {
    if (request.headers.has(name) && !HEADERS.includes(name)) headers.set(name, request.headers.get(name));
  }
  const call = { method: request.method, target, body, subject };
  for (const [name, value] of Object.entries(await signedHeaders(env.EDGE_KEYS, TO_CONTROLLER, call))) headers.set(name, value);
  const bodiless = body.length === 0 || request.method === "GET" || request.method === "HEAD";
  const found = await asked(env, target, { method: request.method, headers, body: bodiless ? undefined : body });
  if (typeof found === "number") return away(found);
  return passedBack(found);
}

function passedBack(found) {
  if (found.status >= 520) return away(502); // the tunnel's own: 530 where it is down
  if (found.status >= 300 && found.status < 400 && found.status !== 304) return away(502); // a redirect isn't followed
  const headers = new Headers({ "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" });
  for (const name of PASSED_BACK) if (found.headers.has(name)) headers.set(name, found.headers.get(name));
  return new Response(found.body, { status: found.status, headers });
}
