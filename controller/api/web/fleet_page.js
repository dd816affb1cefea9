// @ts-check
// All bots, worst first: live, filtered by phase or words, and restarted many at a time.

import { carryOut } from "./ask.js";
import { announce, button, fill, h, link } from "./dom.js";
import { fleet } from "./live.js";
import { PHASES, ago, madeOf, phaseWords, plural, problemWords, reasons } from "./words.js";

const AT_ONCE = 4; // requests of one bulk order under way
const ROWS_AT_ONCE = 60; // made in one go: several screens; the others follow in the next moments

/** @param {import("./app.js").Here} here @returns {import("./app.js").Shown} */
export function fleetPage(here) {
  const view = new FleetView(here);
  return { title: "Fleet", body: view.body, leave: () => view.leave() };
}

class FleetView {
  /** @param {import("./app.js").Here} here */
  constructor(here) {
    this.here = here;
    /** @type {Set<string>} */
    this.phases = new Set();
    this.words = "";
    /** @type {Set<string>} ids */
    this.chosen = new Set();
    /** @type {Map<string, Row>} */
    this.rows = new Map();
    this.list = h("ul", { class: "fleet", "aria-label": "Bots", onchange: (/** @type {any} */ { target }) => {
      if (target.checked) this.chosen.add(target.value);
      else this.chosen.delete(target.value);
      this.choose();
    } });
    this.chips = h("div", { class: "chips", role: "group", "aria-label": "Show only" });
    this.none = h("div", { class: "empty" });
    this.bulk = h("div", { class: "bulk", role: "region", "aria-label": "Chosen bots", hidden: true });
    this.told = h("p", { class: "told", role: "status" });
    this.running = false;
    /** @type {any[]} the bots that fit, in order */
    this.shown = [];
    this._chips = "";
    this._bulk = "";
    this._rest = 0;
    const search = h("input", {
      type: "search", id: "search", placeholder: "Search", autocomplete: "off", spellcheck: false,
      oninput: () => { this.words = search.value.trim().toLowerCase(); this.draw(); },
    });
    this.body = h(
      "div", { class: "page" },
      h("div", { class: "head" }, h("h1", {}, "Fleet"),
        here.may("bot.create") && link("/create", { class: "button main" }, "New bot")),
      h("div", { class: "filters" }, this.chips,
        h("div", { class: "search" }, h("label", { for: "search", class: "unseen" }, "Search bots"), search)),
      this.bulk, this.told, this.list, this.none,
    );
    this.draw = this.draw.bind(this);
    fleet.addEventListener("changed", this.draw);
    this.clock = setInterval(() => { for (const row of this.rows.values()) row.age(); }, 10_000);
    this.draw();
  }

  leave() {
    fleet.removeEventListener("changed", this.draw);
    clearInterval(this.clock);
    clearTimeout(this._rest);
  }

  draw() {
    const bots = [...fleet.bots.values()].sort(worstFirst);
    for (const id of this.rows.keys()) {
      if (fleet.bots.has(id)) continue;
      this.rows.get(id)?.element.remove();
      this.rows.delete(id);
      this.chosen.delete(id);
    }
    const wanted = bots.filter((bot) => this._fits(bot));
    this.shown = wanted;
    this._place(wanted);
    this._drawChips(bots);
    this._drawBulk();
    this._drawNone(bots.length, wanted.length);
  }

  /** @param {any} bot */
  _fits(bot) {
    if (this.phases.size && !this.phases.has(bot.phase)) return false;
    if (!this.words) return true;
    return `${bot.name} ${bot.phase} ${madeOf(bot)} ${reasons(bot).join(" ")}`.toLowerCase().includes(this.words);
  }

  /** Put the rows in order, moving only those that stand elsewhere. @param {any[]} bots */
  _place(bots) {
    let at = this.list.firstElementChild;
    const fresh = document.createDocumentFragment();
    let made = 0;
    clearTimeout(this._rest);
    for (const bot of bots) {
      let row = this.rows.get(bot.id);
      if (!row) {
        if (made === ROWS_AT_ONCE) {
          this._rest = window.setTimeout(this.draw, 0);
          break;
        }
        made += 1;
        row = new Row(this, bot);
        this.rows.set(bot.id, row);
      } else row.draw(bot);
      if (row.element === at) at = at.nextElementSibling;
      else if (at) this.list.insertBefore(row.element, at);
      else fresh.append(row.element);
    }
    while (at) {
      const next = at.nextElementSibling;
      at.remove();
      at = next;
    }
    this.list.append(fresh);
  }

  /** @param {any[]} bots */
  _drawChips(bots) {
    const counts = new Map();
    for (const { phase } of bots) counts.set(phase, (counts.get(phase) ?? 0) + 1);
    for (const phase of this.phases) if (!counts.has(phase)) counts.set(phase, 0);
    const drawn = Object.keys(PHASES).filter((phase) => counts.has(phase)).map((phase) => [phase, counts.get(phase)]);
    const now = JSON.stringify([drawn, [...this.phases], bots.length]);
    if (now === this._chips) return;
    this._chips = now;
    const focused = this.chips.contains(document.activeElement) ? /** @type {any} */ (document.activeElement)?.dataset.phase : null;
    fill(this.chips, this._chip("", "All", bots.length), ...drawn.map(([phase, count]) => this._chip(phase, phaseWords(phase), count)));
    if (focused !== null) /** @type {any} */ (this.chips.querySelector(`[data-phase="${focused}"]`))?.focus();
  }

  /** @param {string} phase @param {string} label @param {number} count */
  _chip(phase, label, count) {
    const on = phase ? this.phases.has(phase) : this.phases.size === 0;
    const press = () => {
      if (!phase) this.phases.clear();
      else if (!this.phases.delete(phase)) this.phases.add(phase);
      this.draw();
      announce(`${plural(this.shown.length, "bot")} shown`);
    };
    return h("button", { type: "button", class: "chip", "aria-pressed": String(on), "data-phase": phase, onclick: press },
      phase && sign(phase), h("span", {}, label), h("b", {}, count));
  }

  /** @param {number} all @param {number} shown */
  _drawNone(all, shown) {
    this.none.hidden = shown > 0;
    if (shown) fill(this.none);
    else if (!fleet.known) fill(this.none, h("p", {}, "Loading…"));
    else if (all) fill(this.none, h("p", {}, "No bot fits."), button("Show all", () => { this.phases.clear(); this.words = ""; this.body.querySelector("#search").value = ""; this.draw(); }));
    else fill(this.none, h("p", {}, "There are no bots yet."), this.here.may("bot.create") && link("/create", { class: "button main" }, "Create the first one"));
  }

  /** Bots of those that are chosen to which this may be done. @param {string} act */
  _able(act) {
    return [...this.chosen].map((id) => fleet.bots.get(id)).filter((bot) => bot && this.here.may(act, bot));
  }

  choose() {
    this._drawBulk();
    announce(`${plural(this.chosen.size, "bot")} chosen`);
  }

  _drawBulk() {
    const count = this.chosen.size;
    const now = `${count} ${this.running} ${this.shown.length}`;
    this.bulk.hidden = count === 0;
    if (now === this._bulk || !count) { this._bulk = now; return; }
    this._bulk = now;
    const order = (/** @type {string} */ label, /** @type {string} */ verb) =>
      button(label, () => this._order(verb), { disabled: this.running });
    fill(
      this.bulk,
      h("b", {}, `${count} chosen`),
      order("Restart", "restart"), order("Start", "start"), order("Stop", "stop"),
      button("All shown", () => {
        for (const bot of this.shown) if (this.here.may("bot.restart", bot)) this.chosen.add(bot.id);
        for (const row of this.rows.values()) row.tick();
        this.choose();
      }, { class: "button quiet" }),
      button("Clear", () => this._clear(), { class: "button quiet" }),
    );
  }

  _clear() {
    this.chosen.clear();
    for (const row of this.rows.values()) row.tick();
    this._drawBulk();
  }

  /** Give all chosen bots the same order, a few at a time, and say how it went. @param {string} verb */
  async _order(verb) {
    const waiting = this._able(`bot.${verb}`);
    const [all, failed] = [waiting.length, /** @type {string[]} */ ([])];
    let done = 0;
    this.running = true;
    this._drawBulk();
    const say = () => { this.told.textContent = `${VERBS[verb][0]} ${plural(all, "bot")}: ${done} of ${all} done…`; };
    say();
    const work = async () => {
      for (let bot = waiting.shift(); bot; bot = waiting.shift()) {
        try {
          const operation = await carryOut("POST", `/bots/${bot.id}/${verb}`);
          if (operation.state !== "done" && operation.state !== "running") failed.push(`${bot.name} (${operation.code || operation.state})`);
        } catch (error) {
          failed.push(`${bot.name}: ${problemWords(error)}`);
        }
        done += 1;
        say();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    this.running = false;
    const good = plural(all - failed.length, "bot");
    this.told.textContent = `${VERBS[verb][1]} ${good}.${failed.length ? ` Not: ${failed.join("; ")}` : ""}`;
    this._clear();
  }
}

const VERBS = /** @type {Record<string, string[]>} */ ({
  restart: ["Restarting", "Restarted"], start: ["Starting", "Started"], stop: ["Stopping", "Stopped"],
});

/** @param {any} one @param {any} other */
function worstFirst(one, other) {
  return PHASES[one.phase].rank - PHASES[other.phase].rank || (one.name < other.name ? -1 : 1);
}

/** A phase as a shape with a colour; its word stands beside it. @param {string} phase */
export function sign(phase) {
  return h("span", { class: `sign ${PHASES[phase].sign}`, "aria-hidden": "true" });
}

/** A row without its bot, of which each row is a copy: much quicker than making 300 one by one. */
const BLANK = h("li", { class: "bot" },
  h("label", { class: "pick" }, h("input", { type: "checkbox" })),
  h("a", {},
    h("span", { "aria-hidden": "true" }),
    h("span", { class: "title" }, h("span", { class: "name" }, "-"), h("span", { class: "phase" }, "-")),
    h("span", {}, "-"), h("span", { class: "since" }, "-")));

class Row {
  /** @param {FleetView} view @param {any} bot */
  constructor(view, bot) {
    this.view = view;
    this.element = BLANK.cloneNode(true);
    const pick = this.element.firstChild;
    this.anchor = pick.nextSibling;
    this.sign = this.anchor.firstChild;
    const title = this.sign.nextSibling;
    this.name = title.firstChild.firstChild;
    this.phase = title.lastChild.firstChild;
    this.since = this.anchor.lastChild.firstChild;
    this.whyPlace = this.since.parentNode.previousSibling;
    this.why = this.whyPlace.firstChild;
    this.box = null;
    if (view.here.may("bot.restart", bot)) {
      this.box = pick.firstChild;
      this.box.value = bot.id;
      this.box.setAttribute("aria-label", `Choose ${bot.name}`);
    } else pick.remove();
    this.draw(bot);
  }

  tick() {
    if (this.box) this.box.checked = this.view.chosen.has(this.bot.id);
  }

  age() {
    const words = `${PHASES[this.bot.phase].since} ${ago(this.bot.since)}`;
    if (this.since.data !== words) this.since.data = words;
  }

  /** @param {any} bot */
  draw(bot) {
    if (bot === this.bot) return;
    this.bot = bot;
    const { sign: kind } = PHASES[bot.phase];
    this.anchor.setAttribute("href", `/bots/${bot.name}`);
    this.sign.className = `sign ${kind}`;
    this.element.setAttribute("data-sign", kind);
    this.name.data = bot.name;
    this.phase.data = phaseWords(bot.phase);
    this.why.data = reasons(bot)[0] ?? madeOf(bot);
    this.whyPlace.className = bot.phase === "running" || bot.phase === "stopped" ? "why calm" : "why";
    this.age();
  }
}
