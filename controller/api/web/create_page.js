// @ts-check
// A new bot on one page, asked for by its template. What isn't secret is kept as a draft in this
// browser, so it outlives a sign-in.

import { all, ask } from "./ask.js";
import { button, fill, forget, fresh, h, recall, remember } from "./dom.js";
import { Box, focusFirstWrong, form, showProblem, submit } from "./form.js";
import { fleet } from "./live.js";
import { problemWords } from "./words.js";

/** @param {import("./app.js").Here} here @returns {import("./app.js").Shown} */
export function createPage(here) {
  const place = h("div", {}, h("p", { class: "soft" }, "Loading…"));
  const load = () => all("/templates")
    .then((templates) => (templates.length ? new Creation(here, place, templates) : fill(place, h("p", {}, "There are no templates."))))
    .catch((error) => fill(place, h("p", { class: "wrong", role: "alert" }, problemWords(error)), button("Try again", load)));
  load();
  return { title: "New bot", body: h("div", { class: "page narrow" }, h("div", { class: "head" }, h("h1", {}, "New bot")), place) };
}

/** What is wrong with which box, by the codes of what is refused before a bot exists. @type {Record<string, string>} */
const ABOUT = {
  "bad-name": "name", "name-taken": "name", "already-exists": "name", "bad-model": "model", "missing-model": "model", "unknown-model": "model",
  "unknown-provider": "provider", "unknown-channel": "channel",
};

class Creation {
  /** @param {import("./app.js").Here} here @param {HTMLElement} place @param {any[]} templates */
  constructor(here, place, templates) {
    this.here = here;
    this.templates = templates;
    /** @type {Record<string, string>} */
    this.draft = read();
    /** @type {Map<string, Box>} boxes of the bot itself */
    this.boxes = new Map();
    /** @type {Map<string, Box>} boxes of its secrets and fields */
    this.inputs = new Map();
    /** @type {any} the bot, once it exists and waits for its secrets */
    this.made = null;
    this.top = h("div", { class: "form" });
    this.below = h("div", { class: "form" });
    this.told = h("p", { class: "told", role: "alert" });
    this.press = submit("Create and start");
    this._drawTop();
    fill(place, form(() => this._send(), this.top, this.below, h("div", { class: "form-end" }, this.press, this.told)));
  }

  get template() {
    return this.templates.find(({ id }) => id === this.draft.template) ?? this.templates[0];
  }

  /** @param {string} kind */
  _option(kind) {
    const options = this.template[`${kind}s`];
    return options.find((/** @type {any} */ one) => one.id === this.draft[kind]) ?? options[0];
  }

  _keep() {
    for (const [name, box] of this.boxes) this.draft[name] = box.value;
    for (const [name, box] of this.inputs) if (!box.secret) this.draft[`field.${name}`] = box.value;
    remember("draft", JSON.stringify(this.draft));
  }

  /** @param {any} spec @param {{value?: string}} [how] */
  _box(spec, how = {}) {
    const box = new Box(spec, { ...how, changed: () => this._keep() });
    this.boxes.set(spec.name, box);
    return box.element;
  }

  _drawTop() {
    const group = fresh("template");
    const choices = this.templates.map((one) => h("label", { class: "choice" },
      h("input", { type: "radio", name: group, value: one.id, checked: one === this.template, onchange: () => { this._choose("template", one.id); } }),
      h("span", {}, h("b", {}, one.title), h("small", {}, one.description))));
    fill(this.top,
      this._box({ name: "name", label: "Name", hint: "Lower-case letters, digits and dashes, for example shop-helper.", required: true }, { value: this.draft.name ?? "" }),
      h("fieldset", { class: "field" }, h("legend", {}, "Template"), h("div", { class: "choices" }, ...choices)));
    this._drawBelow();
  }

  /** @param {string} what @param {string} id */
  _choose(what, id) {
    this._keep();
    this.draft[what] = id;
    if (what !== "channel") delete this.draft.model;
    this._keep2();
    this._drawBelow();
  }

  _keep2() {
    remember("draft", JSON.stringify(this.draft));
  }

  /** @param {string} kind @param {string} label */
  _select(kind, label) {
    const options = this.template[`${kind}s`];
    this.boxes.delete(kind);
    if (!options.length) return null;
    const chosen = this._option(kind);
    this.draft[kind] = chosen.id;
    if (options.length === 1) return null;
    const id = fresh(kind);
    const wrong = h("p", { class: "wrong" });
    const select = h("select", { id, onchange: () => { this._choose(kind, select.value); /** @type {any} */ (document.getElementById(id) ?? this.below.querySelector(`select[name=${kind}]`))?.focus(); }, name: kind },
      ...options.map((/** @type {any} */ one) => h("option", { value: one.id, selected: one === chosen }, one.title)));
    return h("div", { class: "field" }, h("label", { for: id }, label), select, wrong);
  }

  _drawBelow() {
    const provider = this._option("provider");
    const channel = this._option("channel");
    const kept = new Map([...this.inputs].filter(([, box]) => box.secret).map(([name, box]) => [name, box.value]));
    this.inputs.clear();
    this.boxes.delete("model");
    const model = provider && this._box({ name: "model", label: "Model", required: !provider.models.length, suggestions: provider.models,
      hint: provider.models.length ? `Empty: ${provider.models[0]}.` : `Any model that ${provider.title} offers.` }, { value: this.draft.model ?? "" });
    const parts = [provider, channel, this.template].filter(Boolean);
    const secrets = parts.flatMap((one) => one.secrets).map((spec) => this._input(spec, true, kept.get(spec.name)));
    const fields = parts.flatMap((one) => one.fields).filter((spec) => !spec.later).map((spec) => this._input(spec, false));
    fill(this.below, h("div", { class: "pair" }, this._select("provider", "Provider"), model, this._select("channel", "Channel")),
      secrets.length > 0 && h("div", { class: "card form" }, h("div", {}, h("h2", {}, "Secrets"), h("p", { class: "small" }, "Stored in files that only this bot can read. They aren't part of the draft.")), ...secrets),
      fields.length > 0 && h("div", { class: "card form" }, h("h2", {}, "Settings"), ...fields));
  }

  /** @param {any} spec @param {boolean} secret @param {string} [kept] */
  _input(spec, secret, kept) {
    const box = new Box(spec, { secret, value: secret ? "" : this.draft[`field.${spec.name}`] ?? spec.default, changed: () => this._keep() });
    if (secret && kept) box.input.value = kept;
    this.inputs.set(spec.name, box);
    return box.element;
  }

  async _send() {
    const boxes = [...this.boxes.values(), ...this.inputs.values()];
    this.told.textContent = "";
    for (const box of boxes) box.wrong = "";
    if (boxes.map((box) => box.check()).includes(false)) { focusFirstWrong(boxes); return; }
    this.press.disabled = true;
    try {
      if (!this.made) await this._create();
      await this._enter();
      forget("draft");
      for (const box of this.inputs.values()) if (box.secret) box.clear();
      this.here.go(`/bots/${this.made.name}`);
    } catch (error) {
      this._refuse(/** @type {any} */ (error));
    } finally {
      this.press.disabled = false;
    }
  }

  async _create() {
    this.told.textContent = "Creating…";
    const wanted = Object.fromEntries(["provider", "model", "channel"].map((key) => [key, this.boxes.get(key)?.value.trim() || this.draft[key]]).filter(([, value]) => value));
    const { body } = await ask("POST", "/bots", { body: { name: this.boxes.get("name")?.value.trim(), template: this.template.id, ...wanted } });
    this.made = body;
    fleet.take(body);
    for (const box of this.boxes.values()) box.input.disabled = true;
    for (const one of this.top.querySelectorAll("input")) one.disabled = true;
    for (const one of this.below.querySelectorAll("select[name=provider], select[name=channel]")) one.disabled = true;
  }

  async _enter() {
    const values = Object.fromEntries([...this.inputs].filter(([, box]) => box.value).map(([name, box]) => [name, box.value]));
    if (!Object.keys(values).length) return;
    this.told.textContent = "Storing its secrets…";
    await ask("PUT", `/bots/${this.made.id}/secrets`, { body: { values } });
  }

  /** @param {any} problem */
  _refuse(problem) {
    const box = this.made ? undefined : this.boxes.get(ABOUT[problem.code] ?? "");
    if (box) {
      box.wrong = problemWords(problem);
      box.input.focus();
      this.told.textContent = "";
      return;
    }
    const words = showProblem(problem, this.inputs);
    this.told.textContent = this.made ? `${this.made.name} is created and waits. ${words}` : words;
  }
}

/** @returns {Record<string, string>} */
function read() {
  try {
    return JSON.parse(recall("draft") || "{}");
  } catch {
    return {};
  }
}
