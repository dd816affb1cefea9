// @ts-check
// Bots, times and events in words: the same that BotMaker uses in Discord.

/** Phases, worst first, each with the kind of its sign. @type {Record<string, {sign: string, since: string, rank: number}>} */
export const PHASES = {
  error: { sign: "bad", since: "stopped trying", rank: 0 },
  "crash-looping": { sign: "loop", since: "began", rank: 1 },
  unhealthy: { sign: "warn", since: "began", rank: 2 },
  starting: { sign: "busy", since: "began", rank: 3 },
  stopping: { sign: "busy", since: "began", rank: 4 },
  removing: { sign: "busy", since: "began", rank: 5 },
  created: { sign: "new", since: "created", rank: 6 },
  stopped: { sign: "idle", since: "stopped", rank: 7 },
  running: { sign: "good", since: "started", rank: 8 },
};

const RANKS = ["none", "viewer", "operator", "admin"];

/** Whether a role is enough for one that is needed. @param {string} role @param {string | undefined} needed */
export function isEnough(role, needed) {
  return needed !== undefined && RANKS.indexOf(role) >= RANKS.indexOf(needed);
}

/** @param {string} words */
export function capital(words) {
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}

/** @param {string} phase */
export function phaseWords(phase) {
  return phase === "created" ? "waiting for secrets" : phase;
}

const UNITS = /** @type {const} */ ([["d", 86400], ["h", 3600], ["min", 60], ["s", 1]]);

/** How long ago, short: `3 min ago`. @param {string | null} at @param {number} [now] */
export function ago(at, now = Date.now()) {
  if (!at) return "";
  const seconds = Math.max(0, Math.round((now - Date.parse(at)) / 1000));
  if (seconds < 2) return "just now";
  for (const [unit, size] of UNITS) if (seconds >= size) return `${Math.floor(seconds / size)} ${unit} ago`;
  return "just now";
}

/** @param {string | null} at */
export function exact(at) {
  return at ? new Date(at).toLocaleString() : "";
}

/** @param {number} count @param {string} one @param {string} [many] */
export function plural(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}

/** A bot's template, model and channel. @param {any} bot */
export function madeOf(bot) {
  const model = bot.model ? `${bot.provider}/${bot.model}` : bot.provider;
  return [bot.template, model, bot.channel].filter(Boolean).join(" · ");
}

const UNDONE = /** @type {Record<string, string>} */ ({
  stopped: "started again", paused: "continued", renamed: "has its own name again",
});

/** Why a bot isn't simply running; the most telling first. @param {any} bot @returns {string[]} */
export function reasons(bot) {
  const found = [];
  if (bot.wish === "run") found.push(...ended(bot));
  if (bot.health === "unhealthy") found.push(`Its health check fails: ${bot.health_says || "it printed nothing"}`);
  found.push(...(bot.degraded ?? []));
  if (bot.missing_secrets.length && bot.phase !== "created") {
    found.push(`Secrets missing or not usable: ${bot.missing_secrets.join(", ")}.`);
  }
  if (bot.held_up) found.push(`Held up, and tried again: ${bot.held_up}`);
  if (bot.setback) found.push(bot.setback.message);
  if (bot.outside && bot.wish === "run") {
    found.push(`${capital(bot.outside)} outside BotMaker; ${UNDONE[bot.outside] ?? "undone"}.`);
  }
  if (bot.phase === "created" && !found.length) found.push("Enter its secrets to start it.");
  return found;
}

/** @param {any} bot */
function ended(bot) {
  if (bot.problem) return [bot.problem.message, bot.problem.hint].filter(Boolean);
  const crash = bot.last_crash;
  if (!crash || bot.phase === "running") return [];
  const found = [`Crashed ${ago(crash.at)} (${exitWords(crash.exit_code, crash.out_of_memory)}); ${plural(bot.crashes, "crash", "crashes")} remembered.`];
  if (crash.out_of_memory) found.push("It was killed for lack of memory: give it more with /bot edit, option memory.");
  return found;
}

const MEANINGS = /** @type {Record<number, string>} */ ({
  0: "it ended by itself", 1: "a general error", 2: "wrong usage", 126: "the command can't be run",
  127: "the command wasn't found", 137: "killed", 139: "a memory fault", 143: "ended by SIGTERM",
});

/** @param {number | null | undefined} code @param {boolean} [memory] */
export function exitWords(code, memory = false) {
  if (memory) return `exit ${code ?? 137}: out of memory`;
  if (code === null || code === undefined) return "an exit that nobody saw";
  return MEANINGS[code] ? `exit ${code}: ${MEANINGS[code]}` : `exit ${code}`;
}

/** How an operation ended. @param {any} operation @param {string} name */
export function outcomeWords(operation, name) {
  const { state, outcome, code } = operation;
  if (state === "running") return `${name}: still at it. This page shows how it goes.`;
  if (state === "unknown") return "It isn't known whether that happened: the page shows what is.";
  if (state === "failed") return "Something went wrong inside BotMaker; its log has the details.";
  if (state === "cut-short") return "BotMaker was restarted meanwhile; the page shows what is.";
  if (state === "refused") return `Not done (${code}).`;
  if (outcome.phase === "gone") return `${name} is removed, with its data and secrets.`;
  if (outcome.problem) return `${name} is ${outcome.phase}: ${outcome.problem}`;
  return outcome.phase ? `${name} is ${phaseWords(outcome.phase)}.` : "Done.";
}

/** What follows from new settings or secrets. @type {Record<string, string>} */
export const SEQUELS = {
  starts: "Starting now…",
  restarts: "Restarting to load them…",
  reloads: "It loads them without a restart.",
  stopped: "It is stopped and uses them when somebody starts it.",
  waits: "It uses them when it starts; its secrets are still missing.",
  later: "It uses them at its next start.",
  nothing: "Nothing was changed.",
};

/** A refusal in words: what happened, then what to do. @param {any} problem */
export function problemWords(problem) {
  const hint = problem.hint && !problem.hint.includes("/api/") ? problem.hint : "";
  return [problem.message, hint].filter(Boolean).join(" ").replaceAll("`", "");
}
