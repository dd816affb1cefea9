// @ts-check
// The doctor: what BotMaker needs, checked now, with what to do; and what belongs to no bot.

import { all } from "./ask.js";
import { announce, button, fill, h } from "./dom.js";
import { plural, problemWords } from "./words.js";

/** @returns {import("./app.js").Shown} */
export function doctorPage() {
  const list = h("ul", { class: "rows", "aria-label": "Findings" });
  const orphans = h("div", { class: "block" });
  const told = h("p", { class: "told", role: "status" });
  const again = button("Run again", () => run());
  const run = async () => {
    again.disabled = true;
    told.textContent = "Examining…";
    delete told.dataset.kind;
    try {
      const found = await all("/fleet/doctor");
      found.sort((one, other) => rank(one) - rank(other));
      fill(list, ...found.map(finding));
      const bad = found.filter(({ ok }) => ok === false).length;
      told.textContent = bad ? `${plural(bad, "check")} of ${found.length} failed.` : `All ${found.length} checks are fine.`;
      told.dataset.kind = bad ? "bad" : "good";
      announce(told.textContent);
    } catch (error) {
      told.textContent = problemWords(error);
      told.dataset.kind = "bad";
    }
    again.disabled = false;
    await strays(orphans);
  };
  run();
  return { title: "Doctor", body: h("div", { class: "page" }, h("div", { class: "head" }, h("h1", {}, "Doctor"), again), told, list, orphans) };
}

/** @param {any} found */
function rank({ ok }) {
  return ok === false ? 0 : ok === null ? 1 : 2;
}

/** @param {any} found */
function finding({ subject, ok, message, remedy }) {
  const [kind, word] = ok === false ? ["bad", "failed"] : ok ? ["good", "fine"] : ["warn", "note"];
  return h("li", {}, h("span", { class: `sign ${kind}`, "aria-hidden": "true" }),
    h("div", { class: "grow" }, h("b", {}, subject), ...said(message), remedy && h("div", { class: "sub" }, remedy)), h("span", { class: `tag ${kind}` }, word));
}

/** The message; the steps of a bot in trouble fold away. @param {string} message */
function said(message) {
  const [words, steps] = message.split("; its last steps: ");
  if (!steps) return [h("div", {}, message)];
  return [h("div", {}, words), h("details", {}, h("summary", {}, "Its last steps"), h("ul", { class: "steps" }, ...steps.split("; ").map((step) => h("li", {}, step))))];
}

/** @param {HTMLElement} place */
async function strays(place) {
  const found = await all("/fleet/orphans").catch(() => []);
  fill(place, h("h2", {}, "Orphans"),
    found.length
      ? h("ul", { class: "rows" }, ...found.map((one) => h("li", {}, h("code", { class: "grow" }, one.name), h("span", { class: "tag" }, `${one.kind} ${one.state}`.trim()))))
      : h("p", { class: "soft" }, "Nothing that BotMaker made is without a bot."));
}
