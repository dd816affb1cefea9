// Who calls from outside: a token, and not too often. Refused before the body is read.
import { problem } from "./answers.js";
import { holderOf, tokenKeys } from "./token.js";

export const AUDIENCE = "botmaker-edge";

function tooMany() {
  return problem(429, "too-many-requests", "Too many requests.", "Wait a minute, then try again.", {}, { "retry-after": "60" });
}

/** Whether somebody may ask once more; the limits are approximate, the exact ones are the controller's. */
async function within(limiter, key) {
  return limiter === undefined || (await limiter.limit({ key })).success;
}

/** 429 where an address has asked more often than that limit allows; else null. */
export async function tooOften(request, limiter) {
  const address = request.headers.get("cf-connecting-ip") ?? "unknown";
  return (await within(limiter, address)) ? null : tooMany();
}

/** `{subject}` of the token that a request brings, or `{refused}`, an answer. */
export async function callerOf(request, env, now) {
  const [scheme, token = ""] = (request.headers.get("authorization") ?? "").split(" ");
  if (scheme.toLowerCase() !== "bearer" || !token) {
    return { refused: problem(401, "not-signed-in", "This needs a token.", "Send Authorization: Bearer TOKEN.") };
  }
  const expected = { issuer: env.JWT_ISSUER, audience: AUDIENCE };
  const found = await holderOf(token, tokenKeys(env.JWT_KEYS), expected, now);
  if (found.wrong === "token-expired") return { refused: problem(401, "token-expired", "This token has expired.") };
  if (found.wrong) return { refused: problem(401, "token-wrong", "This token isn't one that counts here.") };
  if (!(await within(env.LIMIT_SUBJECT, found.subject))) return { refused: tooMany() };
  return found;
}
