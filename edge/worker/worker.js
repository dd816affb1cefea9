// BotMaker's Worker: takes the controller's events, passes calls on to it, keeps wishes for it.
import { problem } from "./answers.js";
import { callerOf, tooOften } from "./callers.js";
import { PREFIX, passOn } from "./gateway.js";
import { takeEvents } from "./intake.js";
import { prune } from "./prune.js";
import { health, status } from "./status.js";
import { giveWishes, makeWish, oneWish } from "./wishes.js";

const WISH = /^\/api\/v1\/wishes\/([A-Za-z0-9-]{8,64})$/;
const seconds = () => Math.floor(Date.now() / 1000);

async function answered(request, env) {
  const { pathname } = new URL(request.url);
  const way = `${request.method} ${pathname}`;
  const now = seconds();
  // The controller has a limit of its own: a day's events go out in one go.
  const internal = pathname.startsWith("/internal/");
  const refused = await tooOften(request, internal ? env.LIMIT_CONTROLLER : env.LIMIT_ADDRESS);
  if (refused) return refused;
  if (way === "GET /health") return health(env, now);
  if (way === "POST /internal/events") return takeEvents(request, env, now);
  if (way === "POST /internal/wishes") return giveWishes(request, env, now);
  const caller = await callerOf(request, env, now);
  if (caller.refused) return caller.refused;
  if (way === "GET /status") return status(env, now);
  if (way === "POST /api/v1/wishes") return makeWish(request, env, caller.subject, now);
  const wish = request.method === "GET" ? WISH.exec(pathname) : null;
  if (wish) return oneWish(env, wish[1], caller.subject);
  if (pathname.startsWith(PREFIX)) return passOn(request, env, caller.subject);
  return problem(404, "no-such-path", "There is nothing at this path.");
}

export default {
  async fetch(request, env) {
    try {
      return await answered(request, env);
    } catch (error) {
      console.error(`unanswered: ${error?.name ?? "error"}`); // its words may quote what was sent
      return problem(503, "edge-trouble", "The Worker or its database has trouble.", "Try again in a minute.", {}, { "retry-after": "5" });
    }
  },
  async scheduled(_event, env) {
    await prune(env, seconds());
  },
};
