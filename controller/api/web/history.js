// @ts-check
// What happened, to one bot or to everything: newest first, and older as far back as it goes.

import { get } from "./ask.js";
import { button, fill, h, link } from "./dom.js";
import { ago, capital, exact, exitWords, phaseWords, plural, problemWords } from "./words.js";

/** @param {import("./app.js").Here} here @returns {import("./app.js").Shown} */
export function historyPage(here) {
  return { title: "History", body: h("div", { class: "page" }, h("div", { class: "head" }, h("h1", {}, "History")), happened("/fleet/history?refusals=true", true, here)) };
}

/** @param {any} bot @param {import("./app.js").Here} here @returns {import("./bot_page.js").Part} */
export function historyPart(bot, here) {
  return { body: happened(`/bots/${bot.id}/history?refusals=true`, false, here) };
}

/** @param {string} path @param {boolean} named whether each entry says which bot it is about @param {import("./app.js").Here} here */
function happened(path, named, here) {
  const list = h("ul", { class: "rows history" });
  const end = h("div", { class: "older" });
  const body = h("section", { class: "block", "aria-label": "History" }, list, end);
  const more = async (/** @type {string} */ cursor) => {
    fill(end, h("p", { class: "soft" }, "Loading…"));
    try {
      const page = await get(cursor ? `${path}&cursor=${encodeURIComponent(cursor)}` : path);
      list.append(...page.items.map((/** @type {any} */ event) => row(event, named)));
      if (page.next) fill(end, button("Older", () => more(page.next)));
      else fill(end, h("p", { class: "soft small" }, list.childElementCount ? "That is everything." : "Nothing has happened yet."));
    } catch (error) {
      fill(end, h("p", { class: "wrong" }, problemWords(error)), button("Try again", () => more(cursor)));
    }
  };
  more("");
  return body;
}

/** @param {any} event @param {boolean} named */
function row(event, named) {
  const { what, how, kind } = sentence(event);
  return h("li", {},
    h("div", { class: "grow" },
      named && event.bot && h("span", {}, link(`/bots/${event.bot.name}`, {}, event.bot.name), " "),
      h("b", {}, capital(what)), " ", h("span", { class: "sub" }, by(event))),
    how && h("span", { class: `tag ${kind}` }, how),
    h("time", { class: "since", dateTime: event.at, title: exact(event.at) }, ago(event.at)));
}

/** @param {any} event */
function by(event) {
  if (event.kind !== "asked" && event.kind !== "refused") return "";
  return `by ${event.by.name || "BotMaker"}${event.by.kind === "console" ? " (console)" : ""}`;
}

const UNDONE = /** @type {Record<string, string>} */ ({ stopped: "started again", paused: "continued", renamed: "has its own name again" });

/** @param {any} event @returns {{what: string, how: string, kind: string}} */
function sentence({ kind, act, data, operation }) {
  const deed = `${act.replace(/^bot\./, "").replaceAll(".", " ")} ${data.action ?? ""}`.trim();
  switch (kind) {
    case "asked": return { what: `${deed}${detail(data)}`, ...end(operation) };
    case "refused": return { what: deed, how: `refused (${data.code ?? ""})${typeof data.times === "number" ? `, ${plural(data.times, "more time")}` : ""}`, kind: "bad" };
    case "crash": return { what: "Crashed", how: exitWords(data.exit_code, data.oom_killed), kind: "bad" };
    case "problem": return { what: data.message || "Gave up", how: data.code ?? "", kind: "bad" };
    case "reload": return data.ok ? { what: "Read its replaced secrets", how: "", kind: "" } : { what: `Couldn't read its replaced secrets (${data.reason}), so it restarts`, how: "", kind: "warn" };
    case "unchecked": return { what: "Config not checked", how: exitWords(data.exit_code), kind: "warn" };
    case "by-hand": return { what: `${data.what} outside BotMaker`, how: UNDONE[data.what] ?? "undone", kind: "warn" };
    case "new-image": return { what: `Another image: ${data.ref_after || data.after || ""}`, how: "", kind: "" };
    case "release-failed": return { what: `Release ${data.number} taken back, release ${data.to} runs again`, how: data.message ?? "", kind: "bad" };
    case "snapshot": return { what: `Snapshot ${data.number} of its state ${data.what}`, how: "", kind: "" };
    case "webhook": return { what: `Webhook ${data.name}: ${data.reason}`, how: data.count ? `${data.what}, ${plural(data.count, "event")}` : data.what, kind: "bad" };
    case "noted": return { what: `${data.act ?? act}: ${data.words ?? ""}`, how: "", kind: "" };
    default: return { what: kind, how: "", kind: "" };
  }
}

/** @param {any} data */
function detail(data) {
  if (data.token !== undefined) return ` (${[data.name, data.level].filter(Boolean).join(", ")})`;
  if (data.webhook !== undefined) return ` (${data.name}, ${data.host})`;
  if (data.role !== undefined) return ` (${data.role} to ${data.whom === "role" ? "role " : ""}${data.subject})`;
  if (data.whom !== undefined) return ` (from ${data.whom === "role" ? "role " : ""}${data.subject})`;
  return data.detail ? ` (${data.detail})` : "";
}

const RESULTS = /** @type {Record<string, string>} */ ({
  unknown: "not known whether it happened", failed: "failed inside BotMaker", "cut-short": "cut short by a restart of BotMaker", running: "under way",
});

/** @param {any} operation */
function end({ state, code, outcome }) {
  if (state === "refused") return { how: `refused (${code})`, kind: "bad" };
  if (state !== "done") return { how: RESULTS[state] ?? state, kind: state === "running" ? "" : "warn" };
  if (outcome.delivered !== undefined) return outcome.delivered ? { how: "delivered", kind: "good" } : { how: `not delivered: ${outcome.reason}`, kind: "bad" };
  if (outcome.problem) return { how: `${outcome.phase}: ${outcome.problem}`, kind: "bad" };
  if (outcome.phase) return { how: outcome.phase === "gone" ? "removed" : phaseWords(outcome.phase), kind: outcome.phase === "running" ? "good" : "" };
  if (Array.isArray(outcome.names)) return { how: outcome.names.length ? `stored ${outcome.names.join(", ")}` : "nothing stored", kind: "" };
  if (Array.isArray(outcome.changed)) return { how: outcome.changed.length ? `changed ${outcome.changed.join(", ")}` : "nothing changed", kind: "" };
  if (outcome.exit_code !== undefined) return { how: `exit ${outcome.exit_code}`, kind: outcome.exit_code === 0 ? "" : "warn" };
  return { how: "", kind: "" };
}
