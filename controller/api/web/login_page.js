// @ts-check
// Signing in by the link of /access web. Its code stands behind the #, so it reaches no server and
// no log; it is used by a press, never by opening the page, so a preview of the link burns nothing.

import { Problem, ask } from "./ask.js";
import { button, fill, h } from "./dom.js";
import { problemWords } from "./words.js";

/** @param {{done: () => void}} after @returns {import("./app.js").Shown} */
export function loginPage({ done }) {
  const card = h("div", { class: "card", "aria-live": "polite" });
  const body = h("main", { class: "gate", id: "main" }, card);
  const code = location.hash.slice(1);
  history.replaceState(null, "", "/login"); // neither in the history nor in a screenshot
  if (code) look(card, code, done);
  else say(card, "Sign in to BotMaker", ["Your link has no code in it, or this page was loaded again."]);
  return { title: "Sign in", body };
}

/** @param {HTMLElement} card @param {string} heading @param {string[]} words */
function say(card, heading, words) {
  fill(
    card,
    h("span", { class: "logo big", "aria-hidden": "true" }),
    h("h1", {}, heading),
    ...words.map((one) => h("p", {}, one)),
    h("p", {}, "Type ", h("kbd", {}, "/access web"), " in Discord for a new link. It works once, within five minutes."),
  );
}

/** @param {HTMLElement} card @param {string} code @param {() => void} done */
async function look(card, code, done) {
  fill(card, h("span", { class: "logo big", "aria-hidden": "true" }), h("p", { role: "status" }, "Looking at your link…"));
  try {
    const { body } = await ask("POST", "/session/code", { body: { code } });
    offer(card, code, body, done);
  } catch (error) {
    refuse(card, code, /** @type {Problem} */ (error), done);
  }
}

/** @param {HTMLElement} card @param {string} code @param {any} invited @param {() => void} done */
function offer(card, code, invited, done) {
  const wrong = h("p", { class: "wrong", role: "alert" });
  const press = button("Sign in", async () => {
    press.disabled = true;
    try {
      await ask("POST", "/session", { body: { code } });
      done();
    } catch (error) {
      const problem = /** @type {Problem} */ (error);
      if (problem.code === "link-over") return refuse(card, code, problem, done);
      wrong.textContent = problemWords(problem);
      press.disabled = false;
    }
  }, { class: "button main wide" });
  fill(
    card,
    h("span", { class: "logo big", "aria-hidden": "true" }),
    h("h1", {}, `Sign in as ${invited.name}?`),
    h("p", {}, "This browser stays signed in for up to a week. An admin can end that at any time with ", h("kbd", {}, "/access sessions"), "."),
    wrong,
    h("p", {}, press),
    h("p", { class: "small" }, "Not you? Close this page, and pass the link on to nobody."),
  );
  press.focus();
}

/** @param {HTMLElement} card @param {string} code @param {Problem} problem @param {() => void} done */
function refuse(card, code, problem, done) {
  if (problem.code === "link-over") {
    say(card, "This link is over", ["It was already used, or its five minutes have passed."]);
    return;
  }
  fill(
    card,
    h("span", { class: "logo big", "aria-hidden": "true" }),
    h("h1", {}, "That didn't work"),
    h("p", { role: "alert" }, problemWords(problem)),
    h("p", {}, button("Try again", () => look(card, code, done), { class: "button main" })),
  );
}
