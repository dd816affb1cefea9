// @ts-check
// Everything that is asked of BotMaker over its API.

const BASE = "/api/v1";

/** Why something was not done: the words are BotMaker's own. */
export class Problem extends Error {
  /** @param {number} status @param {{detail?: string, hint?: string, code?: string, errors?: {pointer: string, detail: string}[]}} told */
  constructor(status, told) {
    super(told.detail || "That didn't work.");
    this.status = status;
    this.hint = told.hint || "";
    this.code = told.code || "";
    this.errors = told.errors || [];
  }

  /** Whether nobody answered, so that it isn't known whether anything was done. */
  get unanswered() {
    return this.code === "no-answer";
  }
}

/**
 * @typedef {object} Wanted
 * @property {any} [body]
 * @property {Record<string, string>} [headers]
 * @property {AbortSignal} [signal]
 */

/**
 * Ask, and return the answer's JSON with its headers. Throws Problem.
 * @param {string} method @param {string} path below /api/v1 @param {Wanted} [wanted]
 * @returns {Promise<{body: any, headers: Headers, status: number}>}
 */
export async function ask(method, path, wanted = {}) {
  const answer = await send(method, path, wanted);
  const text = await answer.text().catch(() => "");
  const body = parsed(text);
  if (answer.ok) return { body, headers: answer.headers, status: answer.status };
  throw refused(answer.status, body);
}

/** The answer as it comes, for streams. Throws Problem when nobody answers. @param {string} method @param {string} path @param {Wanted} [wanted] */
export async function send(method, path, wanted = {}) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json", ...wanted.headers };
  if (wanted.body !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await fetch(BASE + path, {
      method,
      headers,
      body: wanted.body === undefined ? undefined : JSON.stringify(wanted.body),
      signal: wanted.signal,
      cache: "no-store",
      credentials: "same-origin",
      redirect: "error",
    });
  } catch (error) {
    if (wanted.signal?.aborted) throw error;
    throw new Problem(0, {
      detail: navigator.onLine ? "BotMaker doesn't answer." : "This device is offline.",
      hint: "It is tried again by itself.",
      code: "no-answer",
    });
  }
}

/** @param {number} status @param {any} body @returns {Problem} */
export function refused(status, body) {
  const problem = new Problem(status, body && typeof body === "object" ? body : {});
  if (status === 401 && problem.code !== "link-over") {
    window.dispatchEvent(new CustomEvent("signed-out", { detail: problem }));
  }
  return problem;
}

/** @param {string} text */
function parsed(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

/** @param {string} path @param {AbortSignal} [signal] @returns {Promise<any>} */
export async function get(path, signal) {
  return (await ask("GET", path, { signal })).body;
}

/** All items of a list. @param {string} path @param {AbortSignal} [signal] @returns {Promise<any[]>} */
export async function all(path, signal) {
  const items = [];
  const joint = path.includes("?") ? "&" : "?";
  let next = "";
  do {
    const page = await get(next ? `${path}${joint}cursor=${encodeURIComponent(next)}` : path, signal);
    items.push(...page.items);
    next = page.next;
  } while (next);
  return items;
}

const WAIT_SECONDS = 20;
const LOST_SECONDS = 90; // how long an answer that was lost is looked for
const pause = (/** @type {number} */ ms) => new Promise((done) => setTimeout(done, ms));

/**
 * Carry out what takes its time, to its real end: returns the operation. It is sent under a key of
 * its own, so it is done once even if it has to be sent again because an answer was lost.
 * @param {string} method @param {string} path @param {any} [content]
 * @returns {Promise<any>}
 */
export async function carryOut(method, path, content) {
  const headers = { "Idempotency-Key": crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, Prefer: `wait=${WAIT_SECONDS}` };
  const until = Date.now() + LOST_SECONDS * 1000;
  for (;;) {
    try {
      const { body } = await ask(method, path, { headers, body: content });
      return await ended(body, until);
    } catch (error) {
      if (!(error instanceof Problem) || !mayAsk(error) || Date.now() > until) throw error;
      await pause(error.status === 429 ? 1500 : 1000);
    }
  }
}

/** @param {Problem} problem */
function mayAsk(problem) {
  return problem.unanswered || problem.status === 429 || problem.code === "still-running";
}

/** The operation once it has ended; as it stands when that takes too long. @param {any} operation @param {number} until */
async function ended(operation, until) {
  while (operation.state === "running" && Date.now() < until) {
    await pause(700);
    try {
      operation = await get(`/operations/${operation.id}`);
    } catch (error) {
      if (!(error instanceof Problem) || !mayAsk(error)) throw error;
    }
  }
  return operation;
}
