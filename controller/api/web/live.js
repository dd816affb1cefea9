// @ts-check
// The fleet as this tab knows it, kept up to date by one stream; and who wants to hear of changes.

import { Stream } from "./stream.js";

const STALE_MS = 10_000; // away for longer than this: what is shown may be wrong

/** @typedef {"connecting" | "live" | "reconnecting" | "stale"} Link */

class Fleet extends EventTarget {
  constructor() {
    super();
    /** @type {Map<string, any>} by id */
    this.bots = new Map();
    this.engine = { reachable: true, since: null, reason: "" };
    /** @type {Link} */
    this.link = "connecting";
    this.heardAt = 0;
    this.known = false; // whether there was a first answer at all
    /** @type {any} why there will be no more answers */
    this.problem = null;
    /** @type {Stream | null} */
    this._stream = null;
    this._drawn = 0;
    this._stale = 0;
  }

  /** Begin to listen, with the present session. */
  open() {
    this.close();
    this.problem = null;
    this._stream = new Stream("/events", {
      event: (name, data) => this._hear(name, data),
      state: (state, problem) => this._stands(state, problem),
    });
  }

  close() {
    this._stream?.end();
    this._stream = null;
    clearTimeout(this._stale);
  }

  /** @param {string} named a bot's name or id */
  find(named) {
    const found = this.bots.get(named);
    if (found) return found;
    for (const bot of this.bots.values()) if (bot.name === named) return bot;
    return undefined;
  }

  /** Take in a bot that an answer brought before the stream did. @param {any} bot */
  take(bot) {
    if (!this.bots.has(bot.id)) this._hear("bot", bot);
  }

  /** @param {string} name @param {any} data */
  _hear(name, data) {
    this.heardAt = Date.now();
    if (name === "snapshot") {
      this.bots = new Map(data.bots.map((/** @type {any} */ bot) => [bot.id, bot]));
      this.engine = data.engine;
      this.known = true;
    } else if (name === "bot") this.bots.set(data.id, data);
    else if (name === "gone") this.bots.delete(data.id);
    else if (name === "engine") this.engine = data;
    else return;
    // However much changes at once, it is drawn once; and at once, when it is the first.
    if (name === "snapshot") this._tell("changed");
    else if (!this._drawn) this._drawn = window.setTimeout(() => { this._drawn = 0; this._tell("changed"); }, 30);
  }

  /** @param {import("./stream.js").State} state @param {any} problem */
  _stands(state, problem) {
    clearTimeout(this._stale);
    if (state === "live") return this._link("live");
    if (state === "ended") {
      this.problem = problem;
      this._link("stale");
      this._tell("changed");
      return;
    }
    if (this.link !== "stale") this._link(this.known ? "reconnecting" : "connecting");
    this._stale = window.setTimeout(() => this._link("stale"), STALE_MS);
  }

  /** @param {Link} link */
  _link(link) {
    if (link === this.link) return;
    this.link = link;
    this._tell("link");
  }

  /** @param {string} name */
  _tell(name) {
    this.dispatchEvent(new Event(name));
  }
}

export const fleet = new Fleet();
