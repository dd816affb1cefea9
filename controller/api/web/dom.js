// @ts-check
// Elements made by hand. Text only ever becomes text: nothing here parses HTML.

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * An element with these properties and children. `class`, `data-…`, `aria-…`, `role` and `for` are
 * attributes, `on…` functions listen, everything else is set as a property.
 * @param {string} tag
 * @param {Record<string, any>} [given]
 * @param {...(Child | Child[])} children
 * @returns {any}
 */
export function h(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) set(element, name, value);
  element.append(...nodes(children));
  return element;
}

/** @param {any} element @param {string} name @param {any} value */
function set(element, name, value) {
  if (value === undefined || value === null) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "class") element.className = value;
  else if (/^(aria-|data-|role$|for$|inputmode$|list$|enterkeyhint$|maxlength$)/.test(name)) {
    if (value !== false || name.startsWith("aria-")) element.setAttribute(name, String(value));
  } else element[name] = value;
}

/** @param {(Child | Child[])[]} children @returns {(Node | string)[]} */
function nodes(children) {
  /** @type {(Node | string)[]} */
  const found = [];
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    found.push(child instanceof Node ? child : String(child));
  }
  return found;
}

/** Put these children in place of what is there. @param {Element} element @param {...(Child | Child[])} children */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

/** Say something to whoever listens to the page instead of looking at it. @param {string} words */
export function announce(words) {
  const place = document.getElementById("said");
  if (place && place.textContent !== words) place.textContent = words;
}

/** A button. @param {string} label @param {(event: Event) => void} press @param {Record<string, any>} [more] */
export function button(label, press, more = {}) {
  return h("button", { type: "button", class: "button", onclick: press, ...more }, label);
}

let counted = 0;

/** A fresh id for an element. @param {string} about */
export function fresh(about) {
  counted += 1;
  return `${about}-${counted}`;
}

/** A link within the dashboard. @param {string} to @param {Record<string, any>} given @param {...(Child | Child[])} children */
export function link(to, given, ...children) {
  return h("a", { href: to, ...given }, ...children);
}

/** Keep a choice of this browser's, such as wrapped lines; never anything secret. @param {string} name @param {string} value */
export function remember(name, value) {
  try {
    localStorage.setItem(`botmaker.${name}`, value);
  } catch {
    // A browser that keeps nothing: the choice is asked for again.
  }
}

/** What was remembered. @param {string} name @returns {string} */
export function recall(name) {
  try {
    return localStorage.getItem(`botmaker.${name}`) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} name */
export function forget(name) {
  try {
    localStorage.removeItem(`botmaker.${name}`);
  } catch {
    // Nothing was kept.
  }
}
