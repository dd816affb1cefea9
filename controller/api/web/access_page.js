// @ts-check
// Who may do what: grants, API tokens, and who is signed in.

import { all, ask } from "./ask.js";
import { announce, button, fill, h } from "./dom.js";
import { Box, focusFirstWrong, form, showProblem, submit } from "./form.js";
import { fleet } from "./live.js";
import { ago, exact, problemWords } from "./words.js";

const ROLES = ["viewer", "operator", "admin"];

/** @param {import("./app.js").Here} here @returns {import("./app.js").Shown} */
export function accessPage(here) {
  const body = h("div", { class: "page" }, h("div", { class: "head" }, h("h1", {}, "Access")),
    here.may("access.list") && grants(here), here.may("access.token.list") && tokens(here), here.may("access.sessions") && sessions(here));
  return { title: "Access", body };
}

/**
 * A part of the page: a list that is read again after each change.
 * @param {string} title @param {string} about @param {string} path @param {(one: any, again: () => void) => any} row @param {string} none
 */
function part(title, about, path, row, none) {
  const list = h("ul", { class: "rows", "aria-label": title });
  const told = h("p", { class: "told", role: "status" });
  const again = async () => {
    try {
      const items = await all(path);
      fill(list, ...items.map((one) => row(one, again)));
      told.textContent = items.length ? "" : none;
    } catch (error) {
      told.textContent = problemWords(error);
    }
  };
  again();
  const body = h("section", { class: "block", "aria-label": title }, h("div", {}, h("h2", {}, title), h("p", { class: "small" }, about)), list, told);
  return { body, again };
}

/** A button that asks once more before it takes something away. @param {string} label @param {string} sure @param {() => Promise<any>} work @param {() => void} after */
function twice(label, sure, work, after) {
  let timer = 0;
  const press = button(label, async () => {
    if (!timer) {
      press.textContent = sure;
      timer = window.setTimeout(() => { timer = 0; press.textContent = label; }, 5000);
      return;
    }
    clearTimeout(timer);
    press.disabled = true;
    try {
      await work();
      announce("Done");
      after();
    } catch (error) {
      press.after(h("span", { class: "wrong", role: "alert" }, problemWords(error)));
    }
  }, { class: "button danger small" });
  return press;
}

/** @param {string} name */
const aBot = (name) => ({ name, label: "Bot", hint: "Empty: all bots.", suggestions: [...fleet.bots.values()].map((bot) => bot.name).sort() });

/** @param {import("./app.js").Here} here */
function grants(here) {
  const mayRevoke = here.may("access.revoke");
  const { body, again } = part("Grants", "Roles given here. Those of the settings are changed in .env.", "/access/grants", (one, reload) =>
    h("li", {},
      h("div", { class: "grow" }, h("b", {}, one.kind === "role" ? "Discord role " : "User ", one.subject), h("div", { class: "sub" }, `${one.bot ? `for ${one.bot.name}` : "for all bots"} · ${one.source}`)),
      h("span", { class: "tag" }, one.role),
      mayRevoke && one.source === "granted" && twice("Revoke", "Really revoke?", () => ask("DELETE", `/access/grants/${one.kind}/${one.subject}${one.bot ? `?bot=${one.bot.name}` : ""}`), reload)),
  "Nobody has access but those of the settings.");
  if (here.may("access.grant")) {
    body.append(adder("Give a role", [
      { name: "kind", label: "Whom", choices: ["user", "role"], required: true, first: "user" },
      { name: "subject", label: "Discord id", hint: "Developer mode in Discord, then “Copy ID”.", required: true, pattern: "[1-9][0-9]{0,18}", type: "text" },
      { name: "role", label: "Role", choices: ROLES, required: true, first: "viewer" }, aBot("bot"),
    ], async (values) => { await ask("POST", "/access/grants", { body: values }); again(); return "Given."; }));
  }
  return body;
}

/** @param {import("./app.js").Here} here */
function tokens(here) {
  const mayRevoke = here.may("access.token.revoke");
  const { body, again } = part("API tokens", "For programs. A token is never worth more than its owner's role now.", "/tokens", (one, reload) =>
    h("li", {},
      h("div", { class: "grow" }, h("b", {}, one.name), h("div", { class: "sub" },
        `${one.owner.name || one.owner.kind} · ${forBots(one)} · ${one.used_at ? `used ${ago(one.used_at)}` : "never used"} · until ${new Date(one.expires_at).toLocaleDateString()}`)),
      h("span", { class: "tag" }, one.acting ? `${one.role}, assistants may act` : one.role),
      mayRevoke && twice("Revoke", "Really revoke?", () => ask("DELETE", `/tokens/${one.id}`), reload)),
  "There are no tokens.");
  if (here.may("access.token.create")) {
    const once = h("div", {});
    body.append(adder("Create a token", [
      { name: "name", label: "Name", hint: "What it is for.", required: true }, { name: "role", label: "Role", choices: ROLES, required: true, first: "viewer" },
      { ...aBot("bots"), label: "Bots", hint: "Names with commas between them; empty: all bots." }, { name: "days", label: "Days until it ends", required: true, first: "90", type: "number" },
      { name: "assistant", label: "An assistant may", hint: "Acting: it starts, stops and restarts bots as well.", choices: ["look", "act"], required: true, first: "look" },
    ], async ({ bots, days, assistant, ...rest }) => {
      const { body: made } = await ask("POST", "/tokens", { body: { ...rest, days: Number(days), acting: assistant === "act", bots: (bots ?? "").split(/[,\s]+/).filter(Boolean) } });
      const hide = () => { once.replaceChildren(); window.removeEventListener("pagehide", hide); };
      window.addEventListener("pagehide", hide);
      fill(once, h("p", {}, "Copy it now: it is shown this once."), h("p", { class: "once" }, made.text), button("I have copied it", hide, { class: "button small" }));
      again();
      return "Created.";
    }), once);
  }
  return body;
}

/** @param {any} token */
function forBots(token) {
  if (!token.bots.length && !token.bots_gone) return "all bots";
  return [...token.bots.map((/** @type {any} */ bot) => bot.name), token.bots_gone && `${token.bots_gone} that are gone`].filter(Boolean).join(", ");
}

/** @param {import("./app.js").Here} here */
function sessions(here) {
  return part("Sessions", "Who is signed in to this dashboard.", "/sessions", (one, reload) =>
    h("li", {},
      h("div", { class: "grow" }, h("b", {}, one.user.name, one.user.id === here.me.by.id ? " (you)" : ""), h("div", { class: "sub" }, `${browser(one.about)} · since ${exact(one.created_at)} · used ${ago(one.used_at)}`)),
      twice("End", "Really end?", () => ask("DELETE", `/sessions/${one.id}`), reload)),
  "Nobody is signed in.").body;
}

/** @param {string} about */
function browser(about) {
  const name = [["Edg/", "Edge"], ["OPR/", "Opera"], ["Firefox/", "Firefox"], ["Chrome/", "Chrome"], ["Safari/", "Safari"]].find(([mark]) => about.includes(mark));
  const system = [["Android", "Android"], ["iPhone", "iPhone"], ["iPad", "iPad"], ["Windows", "Windows"], ["Mac OS", "macOS"], ["Linux", "Linux"]].find(([mark]) => about.includes(mark));
  return name ? [name[1], system?.[1]].filter(Boolean).join(" on ") : about || "an unknown browser";
}

/** A form that opens on demand. @param {string} title @param {any[]} specs @param {(values: Record<string, string>) => Promise<string>} work */
function adder(title, specs, work) {
  const boxes = new Map(specs.map((one) => [one.name, new Box(one, { value: one.first, type: one.type })]));
  const told = h("p", { class: "told", role: "status" });
  const press = submit(title);
  const send = async () => {
    if ([...boxes.values()].map((box) => box.check()).includes(false)) { focusFirstWrong(boxes.values()); return; }
    press.disabled = true;
    try {
      told.textContent = await work(Object.fromEntries([...boxes].filter(([, box]) => box.value).map(([name, box]) => [name, box.value.trim()])));
      told.dataset.kind = "good";
    } catch (error) {
      told.textContent = showProblem(error, boxes);
      told.dataset.kind = "bad";
    }
    press.disabled = false;
  };
  return h("details", { class: "card" }, h("summary", {}, title), form(send, h("div", { class: "pair" }, ...[...boxes.values()].map((box) => box.element)), h("div", { class: "form-end" }, press, told)));
}
