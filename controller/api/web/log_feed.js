// @ts-check
// A bot's log as it comes: its last lines, what follows, where a run began and where lines are
// missing. After a break it goes on where it was.

import { Stream } from "./stream.js";
import { plural, problemWords } from "./words.js";

const FIRST = 500; // lines

/** @param {string} botId @param {import("./log_view.js").LogView} view @returns {() => void} ends it */
export function follow(botId, view) {
  let last = ""; // when the newest line that was shown was written
  let repeats = false; // whether lines that were shown already may come again
  const hear = (/** @type {string} */ name, /** @type {any} */ data) => {
    if (name === "lines") {
      const fresh = repeats ? data.lines.filter((/** @type {any} */ line) => line.at > last) : data.lines;
      if (fresh.length) {
        last = fresh[fresh.length - 1].at;
        repeats = false;
        view.add(fresh);
      }
    } else if (name === "gap") {
      repeats = data.dropped === null;
      if (data.dropped) view.divide(`${plural(data.dropped, "line")} left out`, "gap");
      else if (last) view.divide("lines may be missing here", "gap");
    } else if (name === "run") view.divide(`started ${new Date(data.started_at).toLocaleString()}`);
    else if (name === "end" && data.reason === "gone") view.say("The bot is gone.");
  };
  const stream = new Stream(`/bots/${botId}/logs/follow?lines=${FIRST}`, {
    event: hear,
    state: (state, problem) => {
      if (state === "live") view.say("");
      else if (state === "reconnecting") view.say("Reconnecting to the log…");
      else if (state === "ended") view.say(problem ? problemWords(problem) : "");
    },
  });
  return () => stream.end();
}
