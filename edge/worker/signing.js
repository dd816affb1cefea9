// Signatures of calls between a controller and its Worker; the same scheme as controller/edge/signing.py.
//
// What is signed: `id.timestamp.METHOD\ntarget\nsha256hex(body)\nsubject`, with a key for each
// direction, made of the shared key. The headers are those of Standard Webhooks, and the subject.

export const TO_WORKER = "to-worker";
export const TO_CONTROLLER = "to-controller";
export const WINDOW_SECONDS = 300;
export const HEADERS = ["webhook-id", "webhook-timestamp", "webhook-signature", "botmaker-subject"];
const PREFIX = "whsec_";
const ID = /^[A-Za-z0-9._:-]{1,128}$/;
const SUBJECT = /^[\x21-\x7e]{0,128}$/;
const KEY_BYTES_LEAST = 24;
const encoder = new TextEncoder();
const keys = new Map(); // imported once for each shared key and direction

/** The shared keys of a text, one a line; the first signs, all are accepted. */
export function keysOf(text) {
  return String(text ?? "").split(/\s+/).filter((key) => key.startsWith(PREFIX));
}

async function importedHmac(raw) {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  return crypto.subtle.importKey("raw", raw, algorithm, false, ["sign", "verify"]);
}

async function directed(key, direction) {
  const name = `${direction} ${key}`;
  if (!keys.has(name)) {
    const shared = bytesOf(key.slice(PREFIX.length));
    if (shared === null || shared.length < KEY_BYTES_LEAST) throw new Error("a key has 24 bytes at least");
    const label = encoder.encode(`botmaker edge 1 ${direction}`);
    const raw = await crypto.subtle.sign("HMAC", await importedHmac(shared), label);
    keys.set(name, await importedHmac(raw));
  }
  return keys.get(name);
}

/** The bytes of canonical base64; null where it isn't. */
export function bytesOf(text) {
  try {
    const raw = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return base64(raw) === text ? raw : null;
  } catch {
    return null;
  }
}

export function base64(raw) {
  let text = "";
  for (const byte of new Uint8Array(raw)) text += String.fromCharCode(byte);
  return btoa(text);
}

async function content(call) {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", call.body));
  const hex = [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return encoder.encode(`${call.id}.${call.timestamp}.${call.method}\n${call.target}\n${hex}\n${call.subject}`);
}

/** The signature of `{id, timestamp, method, target, body, subject}`: `v1,` and base64. */
export async function signatureOf(key, direction, call) {
  const raw = await crypto.subtle.sign("HMAC", await directed(key, direction), await content(call));
  return `v1,${base64(raw)}`;
}

/** The headers of a call, signed now with the first key. */
export async function signedHeaders(shared, direction, { method, target, body, subject = "" }) {
  const [key] = keysOf(shared);
  if (key === undefined) throw new Error("no key to sign with");
  const call = { id: crypto.randomUUID(), timestamp: String(Math.floor(Date.now() / 1000)), method, target, body, subject };
  const values = [call.id, call.timestamp, await signatureOf(key, direction, call), subject];
  return Object.fromEntries(HEADERS.map((name, index) => [name, values[index]]));
}

/** Whether one of the signatures is that of one of the keys. */
export async function isSigned(shared, direction, call, signatures) {
  const signed = await content(call);
  let found = false;
  for (const part of signatures.split(" ").slice(0, 8)) {
    const raw = part.startsWith("v1,") ? bytesOf(part.slice(3)) : null;
    if (raw === null || raw.length !== 32) continue;
    for (const key of keysOf(shared)) {
      const good = await crypto.subtle.verify("HMAC", await directed(key, direction), raw, signed);
      found = good || found; // every key is tried, so that time tells nothing
    }
  }
  return found;
}

/**
 * Who is behind a call: `{id, subject}`, or `{wrong, seconds}` where it doesn't count:
 * "not-signed" or, if only its time is wrong, "clock-off" with how far it is off.
 */
export async function verified(shared, direction, { method, target, body, headers }, now) {
  const [id, timestamp, signatures, subject] = HEADERS.map((name) => headers.get(name) ?? "");
  const malformed = !ID.test(id) || !/^\d{1,12}$/.test(timestamp) || !SUBJECT.test(subject) || signatures.length > 1024;
  if (malformed) return { wrong: "not-signed" };
  const call = { id, timestamp, method, target, body, subject };
  if (!(await isSigned(shared, direction, call, signatures))) return { wrong: "not-signed" };
  const seconds = Math.round(Number(timestamp) - now);
  if (Math.abs(seconds) > WINDOW_SECONDS) return { wrong: "clock-off", seconds };
  return { id, subject };
}
