// The Worker's own signing and token modules, asked by the tests: lines of JSON in, lines of JSON out.
import readline from "node:readline";
import { pathToFileURL } from "node:url";
import { SignJWT } from "jose";

const home = pathToFileURL(`${process.argv[2]}/`).href;
const signing = await import(`${home}signing.js`);
const token = await import(`${home}token.js`);
const gateway = await import(`${home}gateway.js`);
const bytes = (text) => Uint8Array.from(Buffer.from(text, "base64"));

const acts = {
  sign: ({ key, direction, call }) => signing.signatureOf(key, direction, { ...call, body: bytes(call.body) }),
  verify: ({ keys, direction, call, headers, now }) =>
    signing.verified(keys, direction, { ...call, body: bytes(call.body), headers: new Map(Object.entries(headers)) }, now),
  holder: ({ text, keys, expected, now }) => token.holderOf(text, token.tokenKeys(keys), expected, now),
  jose: ({ head, claims, key }) => new SignJWT(claims).setProtectedHeader(head).sign(new TextEncoder().encode(key)),
  target: ({ url }) => gateway.targetOf(url),
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { act, ...order } = JSON.parse(line);
  let said;
  try {
    said = { value: await acts[act](order) };
  } catch (error) {
    said = { raised: String(error) };
  }
  process.stdout.write(`${JSON.stringify(said)}\n`);
}
