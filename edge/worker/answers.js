// Answers: JSON that no cache keeps, problems with a code and a hint, and bodies within bounds.

const ALWAYS = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
};

export function answer(value, status = 200, headers = {}) {
  return Response.json(value, { status, headers: { ...ALWAYS, ...headers } });
}

/** A problem as the controller's API answers it (RFC 9457). */
export function problem(status, code, title, hint = "", more = {}, headers = {}) {
  const type = { "content-type": "application/problem+json" };
  return answer({ type: "about:blank", status, code, title, hint, ...more }, status, { ...type, ...headers });
}

/** The body's bytes; null if there are more than `most`. Reads no more than that. */
export async function bodyOf(request, most) {
  if (Number(request.headers.get("content-length") ?? 0) > most) return null;
  if (request.body === null) return new Uint8Array();
  const chunks = [];
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.byteLength;
    if (size > most) return null;
    chunks.push(chunk);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

export function parsed(body) {
  try {
    const value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
    return value !== null && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

export function tooLarge(most) {
  return problem(413, "too-large", `The body is larger than ${most} bytes.`);
}
