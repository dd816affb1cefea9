// @ts-check
// A bot's settings; changed only if they are still those that were shown. Its end is here as well.

import { ask, carryOut } from "./ask.js";
import { button, fill, h } from "./dom.js";
import { Box, focusFirstWrong, form, showProblem, submit } from "./form.js";
import { SEQUELS, outcomeWords, problemWords } from "./words.js";

/** @param {any} bot @param {import("./app.js").Here} here @returns {import("./bot_page.js").Part} */
export function settingsPart(bot, here) {
  const place = h("div", { class: "block" }, h("p", { class: "soft" }, "Loading…"));
  const body = h("section", { class: "block", "aria-label": "Settings" }, place, here.may("bot.delete", bot) && deletion(bot, here));
  load(bot, place, "");
  return { body };
}

/** @param {any} bot @param {HTMLElement} place @param {string} words */
async function load(bot, place, words) {
  try {
    const { body, headers } = await ask("GET", `/bots/${bot.id}/settings`);
    draw(bot, place, body.settings, headers.get("ETag") ?? "", words);
  } catch (error) {
    fill(place, h("p", { class: "wrong", role: "alert" }, problemWords(error)), button("Try again", () => load(bot, place, "")));
  }
}

/** @param {any} bot @param {HTMLElement} place @param {any[]} settings @param {string} tag @param {string} words */
function draw(bot, place, settings, tag, words) {
  if (!settings.length) {
    fill(place, h("p", { class: "soft" }, "This bot has no settings."));
    return;
  }
  const boxes = new Map(settings.map((one) => [one.name, new Box({ ...one, hint: [one.hint, one.default && `Default: ${one.default}`].filter(Boolean).join(". ") }, { value: one.value })]));
  const told = h("p", { class: "told", role: "status" }, words);
  const save = submit("Save");
  const send = async () => {
    const changed = [...boxes.values()].filter((box) => box.changed);
    if (!changed.length) { told.textContent = "Nothing was changed."; return; }
    if (changed.map((box) => box.check()).includes(false)) { focusFirstWrong(changed); return; }
    save.disabled = true;
    told.textContent = "Saving…";
    const values = Object.fromEntries(changed.map((box) => [box.spec.name, box.value]));
    try {
      const { body, headers } = await ask("PATCH", `/bots/${bot.id}/settings`, { body: { values }, headers: { "If-Match": tag } });
      draw(bot, place, body.settings, headers.get("ETag") ?? "", `Saved. ${SEQUELS[body.sequel]}`);
    } catch (error) {
      const problem = /** @type {any} */ (error);
      save.disabled = false;
      if (problem.status === 412) {
        fill(told, "Somebody else changed these settings meanwhile. ", button("Show theirs", () => load(bot, place, "These are the present settings."), { class: "button small" }));
        return;
      }
      told.textContent = showProblem(problem, boxes);
    }
  };
  fill(place, h("div", { class: "card" }, form(send, ...[...boxes.values()].map((box) => box.element), h("div", { class: "form-end" }, save, told))));
}

/** @param {any} bot @param {import("./app.js").Here} here */
function deletion(bot, here) {
  const box = new Box({ name: "confirm", label: `Type ${bot.name} to delete it`, required: true }, { changed: () => { press.disabled = box.value.trim() !== bot.name; } });
  const told = h("p", { class: "told", role: "status" });
  const send = async () => {
    if (press.disabled) return;
    press.disabled = true;
    told.textContent = `Deleting ${bot.name}…`;
    try {
      const operation = await carryOut("DELETE", `/bots/${bot.id}`);
      told.textContent = outcomeWords(operation, bot.name);
      if (operation.state === "done" && operation.outcome.phase === "gone") here.go("/");
    } catch (error) {
      told.textContent = problemWords(error);
      press.disabled = false;
    }
  };
  const press = submit("Delete", { class: "button danger", disabled: true });
  return h("div", { class: "card danger-zone" }, h("h2", {}, "Delete this bot"),
    h("p", { class: "soft" }, "Its container, its data and its secrets are removed. It can't be undone. Revoke its keys where they were made."),
    form(send, box.element, h("div", { class: "form-end" }, press, told)));
}
