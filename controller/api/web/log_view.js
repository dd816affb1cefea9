// @ts-check
// A log that grows while somebody reads it: it follows only at its end, and holds a bounded number
// of lines.

import { announce, button, fill, fresh, h, recall, remember } from "./dom.js";
import { exact, plural } from "./words.js";

const MOST = 5000; // lines kept
const END_PX = 24; // this near to the end counts as the end

/** @typedef {{at: string, stream: string, text: string}} Line */

const LEVELS = /** @type {[string, RegExp][]} */ ([
  ["bad", /\b(error|fatal|critical|panic|exception|traceback|failed)\b/i],
  ["warn", /\b(warn|warning)\b/i],
  ["dim", /\b(debug|trace)\b/i],
]);

/** @param {string} text */
function levelOf(text) {
  const head = text.slice(0, 160);
  for (const [level, pattern] of LEVELS) if (pattern.test(head)) return level;
  return "";
}

export class LogView {
  /** @param {string} name the bot's name @param {{older?: () => Promise<boolean>}} [how] */
  constructor(name, how = {}) {
    this.name = name;
    this.how = how;
    /** @type {HTMLElement[]} */
    this.waiting = [];
    this.paused = false;
    this.unread = 0;
    this.needle = "";
    this.frame = 0;
    this.atEnd = true;
    this.empty = h("p", { class: "log-empty" }, "No lines yet.");
    this.lines = h("div", { class: "lines" });
    const label = fresh("log");
    this.scroller = h("div", { class: "scroller", tabIndex: 0, role: "log", "aria-live": "off", "aria-label": `Log of ${name}`, onscroll: () => this._scrolled() }, this.empty, this.lines);
    this.pill = h("button", { type: "button", class: "pill", hidden: true, onclick: () => this.toEnd() });
    this.count = h("span", { class: "found", role: "status" });
    this.state = h("span", { class: "log-state", role: "status" });
    this.pauseButton = button("Pause", () => this._pause(), { class: "button small", "aria-pressed": "false" });
    this.wrapButton = button("Wrap", () => this._wrap(), { class: "button small", "aria-pressed": "true" });
    const search = h("input", { id: label, type: "search", placeholder: "Search these lines", autocomplete: "off", spellcheck: false, oninput: () => this._search(search.value) });
    this.body = h(
      "section", { class: "log", "aria-label": "Log" },
      h("div", { class: "log-tools" },
        h("div", { class: "search" }, h("label", { class: "unseen", for: label }, "Search these lines"), search),
        this.count,
        h("div", { class: "log-buttons" }, this.pauseButton, this.wrapButton, button("Copy", () => this._copy(), { class: "button small" }), button("File", () => this._file(), { class: "button small" }))),
      h("div", { class: "log-frame" }, this.scroller, this.pill),
      this.state,
    );
    if (recall("wrap") === "no") this._wrap();
  }

  /** Say how the stream stands; nothing while it is live. @param {string} words */
  say(words) {
    if (this.state.textContent !== words) this.state.textContent = words;
  }

  /** @param {Line[]} lines */
  add(lines) {
    for (const line of lines) this.waiting.push(this._line(line));
    this.unread += this.paused || !this.atEnd ? lines.length : 0;
    this._later();
  }

  /** A divider between lines: a restart, or lines that are missing. @param {string} words @param {string} [kind] */
  divide(words, kind = "run") {
    this.waiting.push(h("div", { class: `divider ${kind}`, role: "separator" }, h("span", {}, words)));
    this._later();
  }

  clear() {
    this.waiting = [];
    this.unread = 0;
    this.lines.replaceChildren();
    this.empty.hidden = false;
    this._drawPill();
  }

  /** @param {Line} line */
  _line({ at, stream, text }) {
    const level = levelOf(text);
    const element = h("div", { class: `line ${level}${stream === "stderr" ? " err" : ""}` },
      h("time", { dateTime: at, title: exact(at) }, clock(at)), h("span", { class: "text" }, text));
    element.dataset.at = at;
    if (this.needle) this._match(element);
    return element;
  }

  _later() {
    if (!this.frame) this.frame = requestAnimationFrame(() => this._draw());
  }

  _draw() {
    this.frame = 0;
    if (this.paused) {
      if (this.waiting.length > MOST) this.waiting.splice(0, this.waiting.length - MOST);
      return this._drawPill();
    }
    const fresh = this.waiting.splice(0, this.waiting.length).slice(-MOST);
    if (!fresh.length) return this._drawPill();
    this.empty.hidden = true;
    const over = this.lines.childElementCount + fresh.length - MOST;
    const before = !this.atEnd && over > 0 ? this.scroller.scrollHeight : 0;
    for (let left = over; left > 0 && this.lines.firstChild; left -= 1) this.lines.firstChild.remove();
    if (before) this.scroller.scrollTop -= before - this.scroller.scrollHeight;
    this.lines.append(...fresh);
    if (this.atEnd) this.scroller.scrollTop = this.scroller.scrollHeight;
    this._drawPill();
    if (this.needle) this._countFound();
  }

  _scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    this.atEnd = scrollHeight - clientHeight - scrollTop < END_PX;
    if (this.atEnd && !this.paused) this.unread = 0;
    this._drawPill();
  }

  toEnd() {
    if (this.paused) this._pause();
    this.atEnd = true;
    this.unread = 0;
    this._draw();
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this._drawPill();
  }

  _drawPill() {
    this.pill.hidden = this.unread === 0 && (this.atEnd || !this.lines.childElementCount);
    const words = this.unread ? `↓ ${this.unread} new` : "↓ End";
    if (this.pill.textContent !== words) this.pill.textContent = words;
  }

  _pause() {
    this.paused = !this.paused;
    this.pauseButton.textContent = this.paused ? "Resume" : "Pause";
    this.pauseButton.setAttribute("aria-pressed", String(this.paused));
    if (!this.paused) {
      if (this.atEnd) this.unread = 0;
      this._later();
    }
    announce(this.paused ? "The log is paused" : "The log goes on");
  }

  _wrap() {
    const off = this.scroller.classList.toggle("nowrap");
    this.wrapButton.setAttribute("aria-pressed", String(!off));
    remember("wrap", off ? "no" : "yes");
  }

  /** @param {string} words */
  _search(words) {
    this.needle = words.trim().toLowerCase();
    this.scroller.classList.toggle("searched", this.needle !== "");
    for (const line of this.lines.children) this._match(/** @type {HTMLElement} */ (line));
    this._countFound();
    if (this.atEnd) this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  /** Hide a line that doesn't fit, and mark the words in one that does. @param {HTMLElement} line */
  _match(line) {
    const place = line.querySelector(".text");
    if (!place) return;
    const text = place.textContent ?? "";
    const at = this.needle ? text.toLowerCase().indexOf(this.needle) : -1;
    line.classList.toggle("fits", at >= 0);
    if (at >= 0) {
      const end = at + this.needle.length;
      fill(place, text.slice(0, at), h("mark", {}, text.slice(at, end)), text.slice(end));
    } else if (place.childElementCount) place.textContent = text;
  }

  _countFound() {
    const count = this.needle ? this.lines.querySelectorAll(".fits").length : 0;
    const words = this.needle ? (count ? plural(count, "line") : `No matching lines in the last ${plural(this.lines.childElementCount, "line")}.`) : "";
    if (this.count.textContent !== words) this.count.textContent = words;
  }

  /** The lines that are shown, as a text. */
  _text() {
    const lines = [...this.lines.querySelectorAll(this.needle ? ".line.fits" : ".line")];
    return lines.map((line) => `${/** @type {HTMLElement} */ (line).dataset.at} ${line.querySelector(".text")?.textContent}`).join("\n") + "\n";
  }

  async _copy() {
    try {
      await navigator.clipboard.writeText(this._text());
      announce("Copied");
      this.say("Copied.");
    } catch {
      this.say("This browser doesn't let the page copy. Use File.");
    }
  }

  _file() {
    const url = URL.createObjectURL(new Blob([this._text()], { type: "text/plain" }));
    const anchor = h("a", { href: url, download: `${this.name}.log` });
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }
}

/** @param {string} at */
function clock(at) {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}
