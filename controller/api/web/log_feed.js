// @ts-check
// A bot's log as it comes: first what there is, then what follows.

import { get } from "./ask.js";

/** @param {string} botId @param {import("./log_view.js").LogView} view @returns {() => void} ends it */
export function follow(botId, view) {
  let seen = "";
  let ended = false;
  let timer = 0;
  const poll = async () => {
    try {
      const { items } = await get(`/bots/${botId}/logs?lines=200`);
      const fresh = items.filter((/** @type {any} */ line) => line.at > seen);
      if (fresh.length) seen = fresh[fresh.length - 1].at;
      if (!ended) view.add(fresh);
      view.say("");
    } catch (error) {
      view.say(/** @type {Error} */ (error).message);
    }
    if (!ended) timer = window.setTimeout(poll, 1000);
  };
  poll();
  return () => { ended = true; clearTimeout(timer); };
}
