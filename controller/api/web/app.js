// @ts-check
// The dashboard: who is signed in, which page its address means, and what stands around every page.

import { accessPage } from "./access_page.js";
import { ask, get } from "./ask.js";
import { botPage } from "./bot_page.js";
import { createPage } from "./create_page.js";
import { doctorPage } from "./doctor_page.js";
import { button, fill, forget, h, link, recall, remember } from "./dom.js";
import { fleetPage } from "./fleet_page.js";
import { historyPage } from "./history.js";
import { fleet } from "./live.js";
import { loginPage } from "./login_page.js";
import { ago, isEnough, problemWords } from "./words.js";

/**
 * @typedef {object} Shown a page
 * @property {string} title
 * @property {HTMLElement} body
 * @property {() => void} [leave]
 * @property {(path: string[]) => boolean} [turn] shows what this address means, if it is within
 */
/**
 * @typedef {object} Here what a page may use
 * @property {any} me who is signed in
 * @property {(act: string, bot?: any) => boolean} may whether they may do this, to this bot
 * @property {(to: string, how?: {replace?: boolean}) => void} go
 * @property {string[]} path
 */

const root = /** @type {HTMLElement} */ (document.getElementById("app"));
const main = h("main", { id: "main", tabIndex: -1 });
/** @type {any} */
let me = null;
/** @type {Shown | null} */
let shown = null;

/** Pages by the first part of their address; one without a label isn't in the menu. @type {Record<string, {label: string, act: string, page: (here: Here) => Shown}>} */
const PAGES = {
  "": { label: "Fleet", act: "bot.list", page: fleetPage },
  create: { label: "", act: "bot.create", page: createPage },
  history: { label: "History", act: "fleet.history", page: historyPage },
  access: { label: "Access", act: "access.list", page: accessPage },
  doctor: { label: "Doctor", act: "fleet.doctor", page: doctorPage },
};

/** @param {string} act @param {any} [bot] */
function may(act, bot) {
  return bot ? isEnough(bot.role, me.needs[act]) : me.may.includes(act);
}

/** @param {string} to @param {{replace?: boolean}} [how] */
function go(to, how = {}) {
  if (how.replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  show();
}

/** Show the page of the present address. */
function show() {
  const path = location.pathname.split("/").filter(Boolean).map(decodeURIComponent);
  if (shown?.turn?.(path)) return;
  const here = { me, may, go, path };
  shown?.leave?.();
  shown = path[0] === "bots" ? botPage(here) : pageOf(here, PAGES[path[0] ?? ""]);
  if (path[0] !== "bots") document.title = `${shown.title} · BotMaker`;
  fill(main, shown.body);
  for (const one of root.querySelectorAll(".tabs-main a")) {
    const current = one.getAttribute("href") === `/${["bots", "create"].includes(path[0]) ? "" : path[0] ?? ""}`;
    if (current) one.setAttribute("aria-current", "page");
    else one.removeAttribute("aria-current");
  }
  window.scrollTo(0, 0);
  if (started) main.focus({ preventScroll: true });
}

/** @param {Here} here @param {{label: string, act: string, page: (here: Here) => Shown} | undefined} named @returns {Shown} */
function pageOf(here, named) {
  if (named && me.may.includes(named.act)) return named.page(here);
  const words = named ? `This needs the role ${me.needs[named.act]}; you are ${me.role}.` : "There is nothing at this address.";
  return { title: "Not here", body: h("div", { class: "page" }, h("div", { class: "empty" }, h("h1", {}, "Not here"), h("p", {}, words), link("/", { class: "button main" }, "To the fleet"))) };
}

let started = false;

/** The frame around every page. */
function frame() {
  const tabs = Object.entries(PAGES)
    .filter(([, { label, act }]) => label && me.may.includes(act))
    .map(([path, { label }]) => link(`/${path}`, {}, label));
  const out = button("Sign out", signOut, { class: "button quiet" });
  fill(
    root,
    h("a", { class: "skip", href: "#main" }, "Skip to the page"),
    h(
      "header",
      { class: "top" },
      link("/", { class: "brand" }, h("span", { class: "logo", "aria-hidden": "true" }), "BotMaker"),
      h("nav", { class: "tabs-main", "aria-label": "Pages" }, ...tabs),
      h("div", { class: "who" }, linkSign(), h("span", { class: "me", title: `Your role: ${me.role}` }, me.by.name), out),
    ),
    engineNote(),
    main,
  );
}

/** The dot that says whether the page is up to date. */
function linkSign() {
  const word = h("span", { class: "word" });
  const sign = h("span", { class: "link", role: "status" }, h("span", { class: "dot", "aria-hidden": "true" }), word);
  const draw = () => {
    const words = { connecting: "Connecting", live: "Live", reconnecting: "Reconnecting" };
    sign.dataset.link = fleet.link;
    const text = fleet.link === "stale" ? `Stale: last heard ${ago(new Date(fleet.heardAt).toISOString())}` : words[fleet.link];
    if (word.textContent !== text) word.textContent = text;
  };
  fleet.addEventListener("link", draw);
  setInterval(draw, 5000);
  draw();
  return sign;
}

/** A line under the header while Docker doesn't answer. */
function engineNote() {
  const note = h("p", { class: "banner", role: "status", hidden: true });
  const draw = () => {
    const words = fleet.problem ? problemWords(fleet.problem) : engineWords();
    note.hidden = !words;
    if (note.textContent !== words) note.textContent = words;
  };
  fleet.addEventListener("changed", draw);
  draw();
  return note;
}

function engineWords() {
  if (!fleet.known || fleet.engine.reachable) return "";
  const reason = (fleet.engine.reason || "Docker doesn't answer").replace(/[. ]+$/, "");
  return `${reason}. These are the last known states.`;
}

async function signOut() {
  await ask("DELETE", "/session").catch(() => null);
  forget("draft");
  location.assign("/login");
}

/** What whoever isn't signed in sees; after signing in they come back here. @param {string} why */
function strangers(why) {
  fleet.close();
  shown?.leave?.();
  shown = null;
  remember("return", location.pathname);
  document.title = "Sign in · BotMaker";
  const retry = button("I have signed in", () => start(), { class: "button" });
  fill(
    root,
    h(
      "main",
      { class: "gate", id: "main" },
      h("div", { class: "card" }, h("span", { class: "logo big", "aria-hidden": "true" }), h("h1", {}, "Sign in to BotMaker"), h("p", {}, why),
        h("p", {}, "Type ", h("kbd", {}, "/access web"), " in Discord and press ", h("b", {}, "Sign in"), ". The link is only for you and works once, within five minutes."),
        h("p", { class: "row-end" }, retry)),
    ),
  );
}

async function start() {
  if (location.pathname === "/login") {
    const done = () => {
      const path = recall("return");
      history.replaceState(null, "", /^\/(?!\/|login)/.test(path) ? path : "/");
      forget("return");
      start();
    };
    shown = loginPage({ done });
    document.title = `${shown.title} · BotMaker`;
    fill(root, shown.body);
    return;
  }
  try {
    me = await get("/session");
  } catch (error) {
    const problem = /** @type {any} */ (error);
    if (problem.status === 401) return strangers("You aren't signed in.");
    fill(root, h("main", { class: "gate", id: "main" }, h("div", { class: "card", role: "alert" }, h("h1", {}, problem.status === 403 ? "No access" : "BotMaker doesn't answer"),
      h("p", {}, problem.message, " ", problem.status === 403 ? problem.hint : "It is tried again by itself."))));
    if (problem.status !== 403) setTimeout(start, 2000);
    return;
  }
  remember("signed-in", String(Date.now())); // other tabs of this browser look again
  frame();
  fleet.open();
  show();
  started = true;
}

sessionStorage.removeItem("botmaker.lost"); // all files are here: see boot.js
document.addEventListener("click", (event) => {
  const target = /** @type {Element | null} */ (event.target);
  const anchor = /** @type {HTMLAnchorElement | null} */ (target?.closest("a[href^='/']"));
  if (!anchor || anchor.download || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  if (anchor.pathname !== location.pathname) go(anchor.pathname);
});
window.addEventListener("popstate", () => (me ? show() : start()));
window.addEventListener("signed-out", () => {
  if (me) strangers("You were signed out.");
  me = null;
});
window.addEventListener("storage", ({ key }) => {
  if (key === "botmaker.signed-in" && !me && location.pathname !== "/login") start();
});
start();
