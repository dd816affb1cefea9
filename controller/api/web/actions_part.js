// @ts-check
// What a bot's template lets people do inside it while it runs.

import { all, ask } from "./ask.js";
import { fill, h } from "./dom.js";
import { Box, focusFirstWrong, form, showProblem, submit } from "./form.js";
import { exitWords, problemWords } from "./words.js";

/** @param {any} bot @returns {import("./bot_page.js").Part} */
export function actionsPart(bot) {
  const body = h("section", { class: "block", "aria-label": "Actions" }, h("p", { class: "soft" }, "Loading…"));
  all(`/bots/${bot.id}/actions`)
    .then((actions) => {
      if (actions.length) fill(body, ...actions.map((one) => card(bot, one)));
      else fill(body, h("p", { class: "soft" }, "This bot's template has no actions that you may run."));
    })
    .catch((error) => fill(body, h("p", { class: "wrong", role: "alert" }, problemWords(error))));
  return { body };
}

/** @param {any} bot @param {any} action */
function card(bot, action) {
  const boxes = new Map(action.fields.map((/** @type {any} */ one) => [one.name, new Box(one, { value: one.default })]));
  const told = h("p", { class: "told", role: "status" });
  const output = h("pre", { class: "output", tabIndex: 0, hidden: true, "aria-label": `Output of ${action.title}` });
  const run = submit("Run", { class: "button" });
  const send = async () => {
    if ([...boxes.values()].map((box) => box.check()).includes(false)) { focusFirstWrong(boxes.values()); return; }
    const values = Object.fromEntries([...boxes.values()].filter((box) => box.value).map((box) => [box.spec.name, box.value]));
    run.disabled = true;
    told.textContent = "Running…";
    try {
      const { body } = await ask("POST", `/bots/${bot.id}/actions/${action.name}`, { body: { values } });
      told.textContent = body.exit_code === 0 ? "Done." : `Ended with ${exitWords(body.exit_code)}.`;
      told.dataset.kind = body.exit_code === 0 ? "good" : "bad";
      output.hidden = !body.text;
      output.textContent = body.text;
    } catch (error) {
      told.textContent = showProblem(error, boxes);
      told.dataset.kind = "bad";
    } finally {
      run.disabled = false;
    }
  };
  return h("div", { class: "card" }, form(send,
    h("div", { class: "head" }, h("h2", {}, action.title), run), ...[...boxes.values()].map((box) => box.element), told, output));
}
