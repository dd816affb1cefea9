// @ts-check
// A bot's secrets: names, ages and fingerprints. Values only go in; none ever comes back.

import { all, ask } from "./ask.js";
import { button, fill, h } from "./dom.js";
import { Box, focusFirstWrong, form, showProblem, submit } from "./form.js";
import { SEQUELS, ago, exact, problemWords } from "./words.js";

/** @param {any} bot @param {import("./app.js").Here} here @returns {import("./bot_page.js").Part} */
export function secretsPart(bot, here) {
  const list = h("ul", { class: "rows" });
  const entry = h("div", { class: "block" });
  const body = h("section", { class: "block", "aria-label": "Secrets" }, list, entry);
  load(bot, here, list, entry, "");
  let missing = bot.missing_secrets.join();
  return { body, changed: (now) => {
    if (now.missing_secrets.join() === missing) return;
    missing = now.missing_secrets.join();
    all(`/bots/${bot.id}/secrets`).then((stored) => drawList(list, stored, now)).catch(() => null);
  } };
}

/** @param {any} bot @param {import("./app.js").Here} here @param {HTMLElement} list @param {HTMLElement} entry @param {string} words */
async function load(bot, here, list, entry, words) {
  try {
    const mayEnter = here.may("bot.secrets", bot);
    const stored = await all(`/bots/${bot.id}/secrets`);
    drawList(list, stored, bot);
    if (mayEnter) drawEntry(bot, here, list, entry, stored, words);
    else fill(entry, h("p", { class: "soft" }, "An admin can replace them."));
  } catch (error) {
    fill(entry, h("p", { class: "wrong", role: "alert" }, problemWords(error)), button("Try again", () => load(bot, here, list, entry, "")));
  }
}

/** @param {HTMLElement} list @param {any[]} stored @param {any} bot */
function drawList(list, stored, bot) {
  fill(list, ...stored.map((one) => {
    const missing = !one.fingerprint || bot.missing_secrets.includes(one.name);
    return h("li", {},
      h("div", { class: "grow" }, h("b", {}, one.label || one.name), h("div", { class: "sub", title: exact(one.written_at) }, age(one))),
      missing ? h("span", { class: one.required ? "tag warn" : "tag" }, one.required ? "missing" : "not set") : h("code", { title: "Fingerprint" }, one.fingerprint));
  }));
}

/** @param {any} one */
function age(one) {
  if (!one.fingerprint) return one.generated ? "BotMaker makes it at the first start" : "not entered yet";
  return [one.generated ? "made by BotMaker" : "stored", one.written_at && ago(one.written_at)].filter(Boolean).join(" ");
}

/** @param {any} bot @param {import("./app.js").Here} here @param {HTMLElement} list @param {HTMLElement} entry @param {any[]} stored @param {string} words */
function drawEntry(bot, here, list, entry, stored, words) {
  const first = bot.phase === "created";
  const asked = stored.filter((one) => !one.generated);
  if (!asked.length) return fill(entry);
  const boxes = new Map(asked.map((one) => [one.name, new Box({
    name: one.name, label: one.label || one.name, required: one.required && !one.fingerprint,
    hint: one.fingerprint ? "Leave it empty to keep the present one." : "",
  }, { secret: true })]));
  const told = h("p", { class: "told", role: "status" }, words);
  const save = submit(first ? "Store and start" : "Store");
  const send = async () => {
    const filled = [...boxes.values()].filter((box) => box.value);
    if (first && [...boxes.values()].map((box) => box.check()).includes(false)) { focusFirstWrong(boxes.values()); return; }
    if (!filled.length) { told.textContent = "Nothing was entered."; return; }
    const values = Object.fromEntries(filled.map((box) => [box.spec.name, box.value]));
    save.disabled = true;
    told.textContent = "Storing…";
    try {
      const sent = ask("PUT", `/bots/${bot.id}/secrets`, { body: { values } });
      const { body } = await sent;
      for (const box of boxes.values()) box.clear();
      await load(bot, here, list, entry, [`Stored. ${SEQUELS[body.sequel]}`, ...body.notes].join(" "));
    } catch (error) {
      save.disabled = false;
      told.textContent = showProblem(error, boxes);
    }
  };
  fill(entry, h("div", { class: "card block" }, h("h2", {}, first ? "Enter its secrets" : "Replace secrets"),
    h("p", { class: "soft small" }, "They are stored in files that only this bot can read, and are never shown again: only a fingerprint is."),
    form(send, ...[...boxes.values()].map((box) => box.element), h("div", { class: "form-end" }, save, told))));
}
