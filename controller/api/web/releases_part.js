// @ts-check
// What a bot was made of, one release after another, and going back to one that worked.

import { carryOut, get } from "./ask.js";
import { announce, button, fill, h } from "./dom.js";
import { ago, exact, outcomeWords, problemWords } from "./words.js";

const WHY = /** @type {Record<string, string>} */ ({
  create: "created", settings: "new settings", secrets: "new secrets", image: "another image",
  template: "its template changed", update: "update", rollback: "rollback",
});
const ENDED = /** @type {Record<string, [string, string]>} */ ({
  trying: ["being tried", "warn"], good: ["worked", ""], failed: ["failed", "bad"], replaced: ["replaced before it was proven", ""],
});

/** @param {any} bot @param {import("./app.js").Here} here @returns {import("./bot_page.js").Part} */
export function releasesPart(bot, here) {
  const list = h("ul", { class: "rows releases" });
  const told = h("p", { class: "told", role: "status" });
  const body = h("section", { class: "block", "aria-label": "Releases" }, told, list);
  let known = bot;
  const load = async () => {
    try {
      const { items } = await get(`/bots/${bot.id}/releases`);
      fill(list, ...items.map((/** @type {any} */ one) => row(one, backTo(one))));
    } catch (error) {
      fill(list, h("li", { class: "wrong", role: "alert" }, problemWords(error)));
    }
  };
  /** The button that goes back to a release. @param {any} one */
  const backTo = (one) => {
    if (one.outcome !== "good" || one.current || !here.may("bot.rollback", bot)) return null;
    const press = button(`Roll back to ${one.number}`, async () => {
      press.disabled = true;
      told.dataset.kind = "busy";
      told.textContent = "Going back…";
      try {
        const operation = await carryOut("POST", `/bots/${bot.id}/rollback`, { release: one.number });
        told.textContent = `${outcomeWords(operation, bot.name)} Its secrets and its own data stay as they are.`;
        told.dataset.kind = operation.state === "done" && !operation.outcome.problem ? "good" : "bad";
      } catch (error) {
        told.textContent = problemWords(error);
        told.dataset.kind = "bad";
      }
      announce(told.textContent ?? "");
      load();
    });
    return press;
  };
  fill(list, h("li", { class: "soft" }, "Loading…"));
  load();
  return {
    body,
    changed: (now) => {
      const same = now.release === known.release && now.candidate === known.candidate;
      known = now;
      if (!same) load();
    },
  };
}

/** @param {any} one @param {any} back */
function row(one, back) {
  const [words, kind] = one.current ? ["current", "good"] : ENDED[one.outcome] ?? [one.outcome, ""];
  const about = [`by ${one.by.name || "BotMaker"}`, one.image && `image ${one.image.replace(/^.*:/, "").slice(0, 12)}`].filter(Boolean).join(", ");
  return h("li", {},
    h("div", { class: "grow" },
      h("b", {}, `${one.number} · ${WHY[one.why] ?? one.why}`), " ", h("span", { class: "sub" }, about),
      one.problem && h("p", { class: "sub" }, one.problem.message)),
    back,
    h("span", { class: `tag ${kind}` }, words),
    h("time", { class: "since", dateTime: one.at, title: exact(one.at) }, ago(one.at)));
}
