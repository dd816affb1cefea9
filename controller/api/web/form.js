// @ts-check
// Boxes to fill in, each with its label, its hint and a place for what is wrong with it.

import { fresh, h } from "./dom.js";
import { capital, problemWords } from "./words.js";

/**
 * @typedef {object} Spec
 * @property {string} name
 * @property {string} label
 * @property {string} [hint]
 * @property {boolean} [required]
 * @property {boolean} [multiline]
 * @property {string[]} [choices]
 * @property {boolean} [is_list]
 * @property {string} [pattern]
 * @property {string[]} [suggestions]
 * @property {string} [default]
 */

export class Box {
  /** @param {Spec} spec @param {{secret?: boolean, value?: string, changed?: () => void, type?: string}} [how] */
  constructor(spec, how = {}) {
    this.spec = spec;
    this.secret = how.secret ?? false;
    this.first = how.value ?? "";
    const id = fresh("box");
    const about = { id, name: spec.name, oninput: () => { this.wrong = ""; how.changed?.(); } };
    this.input = this._input(about, how.type);
    if (!this.secret) this.input.value = this.first;
    this.input.setAttribute("aria-describedby", `${id}-hint ${id}-wrong`);
    if (spec.required) this.input.setAttribute("aria-required", "true");
    this._wrong = h("p", { class: "wrong", id: `${id}-wrong` });
    const list = spec.suggestions?.length && h("datalist", { id: `${id}-list` }, ...spec.suggestions.map((one) => h("option", { value: one })));
    if (list) this.input.setAttribute("list", `${id}-list`);
    const hint = [capital((spec.hint ?? "").replaceAll("`", "")), spec.is_list && spec.choices?.length && `Choose from: ${spec.choices.join(", ")}.`].filter(Boolean).join(" ");
    this.element = h("div", { class: "field" },
      h("label", { for: id }, spec.label, !spec.required && h("span", { class: "soft" }, " (optional)")),
      this.input, list, h("p", { class: "hint", id: `${id}-hint` }, hint), this._wrong);
  }

  /** @param {Record<string, any>} about @param {string} [type] */
  _input(about, type = "text") {
    const { choices, multiline, is_list: isList, required } = this.spec;
    const plain = { ...about, autocomplete: "off", autocapitalize: "off", spellcheck: false };
    if (this.secret && multiline) return h("textarea", { ...plain, class: "masked", rows: 4 });
    if (this.secret) return h("input", { ...plain, type: "password", autocomplete: "new-password" });
    if (choices?.length && !isList) {
      const options = required || choices.includes(this.first) ? choices : ["", ...choices];
      return h("select", { ...about, onchange: about.oninput }, ...options.map((one) => h("option", { value: one }, one || "—")));
    }
    if (multiline) return h("textarea", { ...plain, rows: 4 });
    return h("input", { ...plain, type });
  }

  get value() {
    return this.input.value;
  }

  get changed() {
    return this.value !== this.first;
  }

  /** What is wrong, in words; empty when nothing is. @param {string} words */
  set wrong(words) {
    this._wrong.textContent = words;
    if (words) this.input.setAttribute("aria-invalid", "true");
    else this.input.removeAttribute("aria-invalid");
  }

  get wrong() {
    return this._wrong.textContent ?? "";
  }

  /** Whether it can be sent, as far as this page can tell; says why not. */
  check() {
    const { label, required, pattern, hint } = this.spec;
    const value = this.value.trim();
    if (!value && required) this.wrong = `${label} can't be empty.`;
    else if (value && pattern && !fits(pattern, value)) {
      const advice = (hint || "check that it's complete and nothing else came with it").replaceAll("`", "").replace(/\.$/, "");
      this.wrong = `This doesn't look right: ${advice}.`;
    }
    return this.wrong === "";
  }

  clear() {
    this.input.value = "";
  }
}

/** @param {string} pattern @param {string} value */
function fits(pattern, value) {
  try {
    return new RegExp(`^(?:${pattern})$`).test(value);
  } catch {
    return true; // a pattern that only BotMaker itself can read
  }
}

/**
 * Show what BotMaker refused beside the boxes that it is about; returns the words for what is left.
 * @param {any} problem @param {Map<string, Box>} boxes
 */
export function showProblem(problem, boxes) {
  let placed = 0;
  for (const { pointer, detail } of problem.errors ?? []) {
    const box = boxes.get(pointer.split("/").pop() ?? "");
    if (!box) continue;
    box.wrong = detail;
    placed += 1;
  }
  if (!placed) return problemWords(problem);
  focusFirstWrong(boxes.values());
  return placed === 1 ? "One value can't be used: see above." : `${placed} values can't be used: see above.`;
}

/** @param {Iterable<Box>} boxes @returns {boolean} whether there was one */
export function focusFirstWrong(boxes) {
  for (const box of boxes) {
    if (!box.wrong) continue;
    const around = box.element.closest("details");
    if (around) around.open = true;
    box.input.focus();
    return true;
  }
  return false;
}

/** A form that never leaves by itself. @param {() => void} send @param {...any} children */
export function form(send, ...children) {
  return h("form", { class: "form", noValidate: true, method: "dialog", onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); send(); } }, ...children);
}

/** @param {string} label @param {Record<string, any>} [more] */
export function submit(label, more = {}) {
  return h("button", { type: "submit", class: "button main", ...more }, label);
}

// What was typed as a secret leaves with the page: also when the browser keeps the page for "back".
window.addEventListener("pagehide", () => {
  for (const box of document.querySelectorAll("input[type=password], textarea.masked")) {
    /** @type {HTMLInputElement} */ (box).value = "";
  }
});
