// Forgets what nobody needs any more. Runs by itself, once an hour.

const DAY = 86_400;
export const EVENTS_KEPT = 30 * DAY;
export const WISHES_KEPT = 7 * DAY; // that ended

export async function prune(env, now) {
  await env.DB.batch([
    env.DB.prepare("DELETE FROM calls WHERE until < ?1").bind(now),
    env.DB.prepare("DELETE FROM events WHERE received_at < ?1").bind(now - EVENTS_KEPT),
    env.DB.prepare("DELETE FROM wishes WHERE outcome IS NOT NULL AND created_at < ?1").bind(now - WISHES_KEPT),
  ]);
}
