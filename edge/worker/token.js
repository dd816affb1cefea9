// Tokens of callers (JWT, HS256 and nothing else): who signed, for whom, until when.
import { bytesOf } from "./signing.js";

const LEEWAY_SECONDS = 30;
const LENGTH_MOST = 4096;
const KEY_BYTES_LEAST = 32;
const SUBJECT = /^[\x21-\x7e]{1,128}$/;
const encoder = new TextEncoder();

/** The keys by their ids, from lines of `kid key`. A key shorter than 32 bytes counts nothing. */
export function tokenKeys(text) {
  const found = new Map();
  for (const line of String(text ?? "").split("\n")) {
    const [kid, key] = line.trim().split(/\s+/);
    if (kid && key && encoder.encode(key).length >= KEY_BYTES_LEAST) found.set(kid, key);
  }
  return found;
}

function decoded(part) {
  if (!/^[A-Za-z0-9_-]+$/.test(part)) return null;
  const padded = part.replaceAll("-", "+").replaceAll("_", "/").padEnd(Math.ceil(part.length / 4) * 4, "=");
  return bytesOf(padded);
}

function jsonOf(part) {
  try {
    const value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(decoded(part)));
    return value !== null && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

function isFor(claims, { issuer, audience }) {
  const audiences = Array.isArray(claims.aud) ? claims.aud : [claims.aud];
  return claims.iss === issuer && audiences.includes(audience) && typeof claims.sub === "string" && SUBJECT.test(claims.sub);
}

/** The subject of a token: `{subject}`, or `{wrong}`: "token-wrong" or "token-expired". */
export async function holderOf(text, keys, expected, now) {
  const wrong = { wrong: "token-wrong" };
  const parts = text.length > LENGTH_MOST ? [] : text.split(".");
  if (parts.length !== 3) return wrong;
  const [head, claims, signature] = [jsonOf(parts[0]), jsonOf(parts[1]), decoded(parts[2])];
  if (head === null || claims === null || signature === null) return wrong;
  const key = head.alg === "HS256" && head.crit === undefined ? keys.get(head.kid) : undefined;
  if (key === undefined) return wrong;
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", encoder.encode(key), algorithm, false, ["verify"]);
  const signed = encoder.encode(`${parts[0]}.${parts[1]}`);
  if (!(await crypto.subtle.verify("HMAC", imported, signature, signed))) return wrong;
  if (!isFor(claims, expected) || !Number.isFinite(claims.exp)) return wrong;
  if (claims.nbf !== undefined && !(claims.nbf <= now + LEEWAY_SECONDS)) return wrong;
  if (claims.exp <= now - LEEWAY_SECONDS) return { wrong: "token-expired" };
  return { subject: claims.sub };
}
