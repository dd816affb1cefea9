// @ts-check
// The fleet as this tab knows it, kept up to date by one stream; and who wants to hear of changes.

import { all, get } from "./ask.js";

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
    this._timer = 0;
  }

  /** Begin to listen, with the present session. */
  open() {
    this.close();
    this._poll();
  }

  close() {
    clearTimeout(this._timer);
    this._timer = 0;
  }

  /** @param {string} named a bot's name or id */
  find(named) {
    const found = this.bots.get(named);
    if (found) return found;
    for (const bot of this.bots.values()) if (bot.name === named) return bot;
    return undefined;
  }

  async _poll() {
    try {
      const [bots, fleet] = await Promise.all([all("/bots?limit=500"), get("/fleet")]);
      this.bots = new Map(bots.map((bot) => [bot.id, bot]));
      this.engine = fleet.engine;
      this._heard("live");
    } catch {
      this._link("reconnecting");
    }
    this._timer = window.setTimeout(() => this._poll(), 1500);
  }

  /** Take in a bot that an answer brought. @param {any} bot */
  take(bot) {
    this.bots.set(bot.id, bot);
    this._tell("changed");
  }

  /** @param {Link} link */
  _heard(link) {
    this.heardAt = Date.now();
    this.known = true;
    this._link(link);
    this._tell("changed");
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
