// @ts-check
// One bot: how it is and why, what can be done, and its log, history, settings, secrets, actions.

import { actionsPart } from "./actions_part.js";
import { carryOut } from "./ask.js";
import { announce, button, fill, h, link } from "./dom.js";
import { sign } from "./fleet_page.js";
import { historyPart } from "./history.js";
import { fleet } from "./live.js";
import { follow } from "./log_feed.js";
import { LogView } from "./log_view.js";
import { releasesPart } from "./releases_part.js";
import { secretsPart } from "./secrets_part.js";
import { settingsPart } from "./settings_part.js";
import { PHASES, ago, exact, madeOf, outcomeWords, phaseWords, problemWords, reasons } from "./words.js";

/** @typedef {{body: HTMLElement, leave?: () => void, changed?: (bot: any) => void}} Part */

/** @type {Record<string, {label: string, act: string, part: (bot: any, here: import("./app.js").Here) => Part}>} */
const PARTS = {
  log: { label: "Log", act: "bot.logs", part: logPart },
  history: { label: "History", act: "bot.history", part: historyPart },
  releases: { label: "Releases", act: "bot.releases", part: releasesPart },
  settings: { label: "Settings", act: "bot.edit", part: settingsPart },
  secrets: { label: "Secrets", act: "bot.show", part: secretsPart },
  actions: { label: "Actions", act: "bot.do", part: actionsPart },
};

/** @param {any} bot @returns {Part} */
function logPart(bot) {
  const view = new LogView(bot.name);
  return { body: view.body, leave: follow(bot.id, view) };
}

/** @param {import("./app.js").Here} here @returns {import("./app.js").Shown} */
export function botPage(here) {
  const view = new BotView(here);
  return { title: here.path[1], body: view.body, leave: () => view.leave(), turn: (path) => view.turn(path) };
}

class BotView {
  /** @param {import("./app.js").Here} here */
  constructor(here) {
    this.here = here;
    this.named = here.path[1];
    /** @type {any} */
    this.bot = null;
    this._why = "";
    this._facts = "";
    this.partName = here.path[2] ?? "log";
    /** @type {Part | null} */
    this.part = null;
    this.gone = false;
    this.sign = h("span", { "aria-hidden": "true" });
    this.phase = h("span", { class: "phase", role: "status" });
    this.state = h("p", { class: "state" });
    this.since = h("time", { class: "since" });
    this.why = h("ul", { class: "reasons" });
    this.facts = h("dl", { class: "facts" });
    this.tabs = h("nav", { class: "tabs", "aria-label": "Parts of this bot" });
    this.place = h("div", { class: "part" });
    this.buttons = h("div", { class: "bar-buttons" });
    this.told = h("p", { class: "told", role: "status" });
    this.head = h("h1", {}, this.named);
    this.body = h("div", { class: "page bot-page" });
    this.working = "";
    this.draw = this.draw.bind(this);
    fleet.addEventListener("changed", this.draw);
    this.clock = setInterval(() => this._age(), 5000);
    this.draw();
  }

  leave() {
    fleet.removeEventListener("changed", this.draw);
    clearInterval(this.clock);
    this.part?.leave?.();
  }

  /** Show another part of the same bot. @param {string[]} path */
  turn(path) {
    if (path[0] !== "bots" || !this.bot || (path[1] !== this.bot.name && path[1] !== this.bot.id)) return false;
    this.partName = path[2] ?? "log";
    this._drawPart();
    this._drawButtons();
    return true;
  }

  draw() {
    const bot = fleet.find(this.bot?.id ?? this.named);
    if (!bot) return this._missing();
    if (bot === this.bot && !this.gone) return;
    const first = !this.bot || this.gone;
    const roleChanged = this.bot?.role !== bot.role;
    const phaseChanged = this.bot?.phase !== bot.phase || this.bot?.wish !== bot.wish;
    this.bot = bot;
    this.gone = false;
    if (first) this._frame();
    this.sign.className = `sign big ${PHASES[bot.phase].sign}`;
    this.state.dataset.sign = PHASES[bot.phase].sign;
    const words = phaseWords(bot.phase);
    if (this.phase.textContent !== words) this.phase.textContent = words;
    this._drawReasons(bot);
    this._drawFacts(bot);
    this._age();
    if (first || phaseChanged || roleChanged) this._drawButtons();
    if (first || roleChanged) this._drawPart();
    else this.part?.changed?.(bot);
  }

  _missing() {
    if (!fleet.known) return fill(this.body, h("p", { class: "empty" }, "Loading…"));
    if (this.gone) return this.body;
    this.gone = true;
    this.part?.leave?.();
    this.part = null;
    const name = this.bot?.name ?? this.named;
    return fill(this.body, h("div", { class: "empty" }, h("h1", {}, this.bot ? `${name} is gone` : `No bot called ${name}`),
      h("p", {}, this.told.textContent || (this.bot ? "It was removed, with its data and secrets." : "It was removed, or you may not see it.")), link("/", { class: "button main" }, "To the fleet")));
  }

  _frame() {
    this.head.textContent = this.bot.name;
    this.body.dataset.bot = this.bot.name;
    fill(this.state, this.phase, this.since);
    fill(
      this.body,
      link("/", { class: "back" }, "← Fleet"),
      h("div", { class: "bot-head" },
        h("div", { class: "bot-title" }, this.sign, h("div", {}, this.head, this.state)),
        h("div", { class: "bar" }, this.told, this.buttons)),
      this.why, this.facts, this.tabs, this.place,
    );
  }

  _age() {
    if (!this.bot) return;
    const words = ` ${PHASES[this.bot.phase].since} ${ago(this.bot.since)}`;
    this.since.title = exact(this.bot.since);
    if (this.since.textContent !== words) this.since.textContent = words;
  }

  /** @param {any} bot */
  _drawReasons(bot) {
    const found = reasons(bot);
    this.why.hidden = !found.length;
    this.why.dataset.sign = PHASES[bot.phase].sign;
    const now = found.join("\n");
    if (now !== this._why) fill(this.why, ...found.map((words) => h("li", {}, words)));
    this._why = now;
  }

  /** @param {any} bot */
  _drawFacts(bot) {
    const facts = [
      ["Made of", madeOf(bot)],
      bot.health && bot.health !== "none" && ["Health check", bot.health],
      bot.restarts > 0 && ["Restarts", String(bot.restarts)],
      bot.crashes > 0 && ["Crashes", `${bot.crashes}, last ${ago(bot.last_crash?.at)}`],
      bot.image && ["Image", bot.image.replace(/^sha256:/, "").slice(0, 12)],
      Object.keys(bot.limits).length > 0 && ["Own limits", Object.entries(bot.limits).map(([name, value]) => `${name} ${value}`).join(", ")],
      ["Your role", bot.role],
    ].filter(Boolean);
    const now = JSON.stringify(facts);
    if (now !== this._facts) fill(this.facts, ...facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
    this._facts = now;
  }

  _drawButtons() {
    const { bot } = this;
    const order = (/** @type {string} */ verb, /** @type {string} */ label, kind = "") =>
      this.here.may(`bot.${verb}`, bot) && button(label, () => this._order(verb), { class: `button ${kind}`, disabled: this.working !== "" });
    const waits = bot.phase === "created" && bot.wish === "run";
    const stopped = bot.wish === "stop";
    const shown = bot.phase === "removing" ? [] : waits
      ? [this.partName !== "secrets" && this.here.may("bot.secrets", bot) && link(`/bots/${bot.name}/secrets`, { class: "button main" }, "Enter secrets")]
      : stopped ? [order("start", "Start", "main")] : [order("stop", "Stop"), order("restart", "Restart", "main")];
    fill(this.buttons, ...shown);
    this.body.classList.toggle("without-bar", !shown.some(Boolean));
  }

  /** Carry out and show the real end. @param {string} verb */
  async _order(verb) {
    const doing = { start: "Starting", stop: "Stopping", restart: "Restarting" }[verb] ?? verb;
    const began = Date.now();
    this.working = verb;
    this._drawButtons();
    const tick = () => { this._tell(`${doing}… ${Math.round((Date.now() - began) / 1000)} s`, "busy"); };
    tick();
    const clock = setInterval(tick, 1000);
    try {
      const operation = await carryOut("POST", `/bots/${this.bot.id}/${verb}`);
      const good = operation.state === "done" && !operation.outcome.problem;
      const took = Math.max(1, Math.round((Date.now() - began) / 1000));
      const words = outcomeWords(operation, this.bot.name);
      this._tell(operation.state === "done" ? `${words} Took ${took} s.` : words, good ? "good" : "bad");
      announce(words);
    } catch (error) {
      this._tell(problemWords(error), "bad");
      announce(problemWords(error));
    } finally {
      clearInterval(clock);
      this.working = "";
      if (!this.gone) this._drawButtons();
    }
  }

  /** @param {string} words @param {string} kind */
  _tell(words, kind) {
    this.told.textContent = words;
    this.told.dataset.kind = kind;
  }

  _drawPart() {
    const offered = Object.entries(PARTS).filter(([, { act }]) => this.here.may(act, this.bot));
    const chosen = offered.find(([name]) => name === this.partName) ?? offered[0];
    fill(this.tabs, ...offered.map(([name, { label }]) => link(`/bots/${this.bot.name}/${name}`, name === chosen[0] ? { "aria-current": "page" } : {}, label)));
    this.part?.leave?.();
    this.part = chosen[1].part(this.bot, this.here);
    fill(this.place, this.part.body);
    document.title = `${this.bot.name}: ${chosen[1].label} · BotMaker`;
  }
}
