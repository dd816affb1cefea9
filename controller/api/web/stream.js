// @ts-check
// One stream of events from BotMaker, kept open: reconnects by itself, and says how it stands.

import { Problem, refused, send } from "./ask.js";

const SILENCE_MS = 45_000; // a living stream says something every 15 s
const HIDDEN_MS = 60_000; // nobody looks: the connection is given back
const PAUSES_MS = [300, 1000, 2000, 4000, 8000, 15_000];

/** @typedef {"connecting" | "live" | "reconnecting" | "paused" | "ended"} State */
/**
 * @typedef {object} Hearer
 * @property {(name: string, data: any, id: string) => void} event
 * @property {(state: State, problem?: Problem) => void} state
 * @property {boolean} [whenHidden] whether it stays open although nobody looks
 */

export class Stream {
  /** @param {string} path below /api/v1 @param {Hearer} hearer */
  constructor(path, hearer) {
    this._path = path;
    this._hearer = hearer;
    this._last = "";
    this._tries = 0;
    this._heardAt = 0;
    /** @type {State} */
    this._state = "connecting";
    /** @type {AbortController | null} */
    this._open = null;
    this._timer = 0;
    this._hidden = 0;
    this._ended = false;
    this._wake = () => this._look();
    for (const name of ["online", "pageshow", "focus"]) window.addEventListener(name, this._wake);
    document.addEventListener("visibilitychange", this._wake);
    this._watch = window.setInterval(() => this._look(), 5000);
    this._connect();
  }

  /** Close it for good. */
  end() {
    this._ended = true;
    for (const name of ["online", "pageshow", "focus"]) window.removeEventListener(name, this._wake);
    document.removeEventListener("visibilitychange", this._wake);
    clearInterval(this._watch);
    clearTimeout(this._timer);
    clearTimeout(this._hidden);
    this._open?.abort();
  }

  /** @param {State} state @param {Problem} [problem] */
  _say(state, problem) {
    if (this._ended || (state === this._state && !problem)) return;
    this._state = state;
    this._hearer.state(state, problem);
  }

  _look() {
    if (this._ended) return;
    if (document.hidden) {
      if (!this._hidden) this._hidden = window.setTimeout(() => this._pause(), HIDDEN_MS);
      return;
    }
    clearTimeout(this._hidden);
    this._hidden = 0;
    const silent = this._open && this._heardAt && Date.now() - this._heardAt > SILENCE_MS;
    if (silent) this._again(0);
    else if (!this._open && navigator.onLine) this._connect();
  }

  _pause() {
    if (!document.hidden || this._ended) return;
    this._close();
    this._say("paused");
  }

  _close() {
    clearTimeout(this._timer);
    this._timer = 0;
    const open = this._open;
    this._open = null;
    open?.abort();
  }

  /** @param {number} ms */
  _again(ms) {
    this._close();
    if (this._ended) return;
    this._say("reconnecting");
    this._timer = window.setTimeout(() => this._connect(), ms);
  }

  async _connect() {
    if (this._open || this._ended) return;
    clearTimeout(this._timer);
    const open = new AbortController();
    this._open = open;
    this._heardAt = Date.now();
    try {
      await this._read(open);
    } catch (error) {
      if (open.signal.aborted) return;
      if (error instanceof Problem && error.status >= 400 && error.status < 500 && error.status !== 429 && error.status !== 421) {
        this._close();
        this._say("ended", error);
        return;
      }
    }
    if (this._open !== open) return;
    const ms = PAUSES_MS[Math.min(this._tries, PAUSES_MS.length - 1)];
    this._tries += 1;
    this._again(ms * (0.7 + 0.6 * Math.random()));
  }

  /** @param {AbortController} open */
  async _read(open) {
    /** @type {Record<string, string>} */
    const headers = { Accept: "text/event-stream" };
    if (this._last) headers["Last-Event-ID"] = this._last;
    const answer = await send("GET", this._path, { headers, signal: open.signal });
    if (!answer.ok || !answer.body) throw refused(answer.status, await answer.json().catch(() => null));
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      if (this._open !== open) return;
      this._heardAt = Date.now();
      this._tries = 0;
      this._say("live");
      const parts = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
      rest = parts.pop() ?? "";
      for (const part of parts) this._tell(part);
    }
  }

  /** @param {string} text one event as it was sent */
  _tell(text) {
    let name = "message";
    const data = [];
    for (const line of text.split("\n")) {
      const cut = line.indexOf(":");
      if (cut < 1) continue; // a comment
      const field = line.slice(0, cut);
      const value = line.slice(cut + 1).replace(/^ /, "");
      if (field === "event") name = value;
      else if (field === "data") data.push(value);
      else if (field === "id") this._last = value;
    }
    if (data.length) this._hearer.event(name, JSON.parse(data.join("\n")), this._last);
  }
}
