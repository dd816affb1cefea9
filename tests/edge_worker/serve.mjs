// Runs a Worker in Miniflare for the tests, as a line of JSON asks; answers with a line of JSON.
import readline from "node:readline";
import { Miniflare } from "miniflare";

let running = null;
let served = null;

function optionsOf(order) {
  const names = Object.keys(order.modules).sort((a, b) => (b === order.main) - (a === order.main));
  return {
    host: "127.0.0.1",
    port: order.port,
    modules: names.map((name) => ({ type: "ESModule", path: `/${name}`, contents: order.modules[name] })),
    modulesRoot: "/",
    compatibilityDate: order.date,
    bindings: order.bindings,
    ...(order.d1 ? { d1Databases: { DB: "edge" }, d1Persist: order.persist } : {}),
    ratelimits: order.limits,
    serviceBindings: order.services ?? {},
    cf: false,
    telemetry: { enabled: false },
  };
}

async function database() {
  return running.getD1Database("DB");
}

const acts = {
  async serve(order) {
    const options = optionsOf(order);
    const before = served;
    try {
      if (running === null) running = new Miniflare(options);
      else await running.setOptions(options);
      await running.ready;
      served = options;
      return {};
    } catch (error) {
      if (before === null) { await running?.dispose().catch(() => {}); running = null; }
      else await running.setOptions(before); // a broken one: the one before stays
      return { error: String(error?.message ?? error).slice(0, 500) };
    }
  },
  async sql({ sql, values = [] }) {
    const result = await (await database()).prepare(sql).bind(...values).all();
    return { rows: result.results, changes: result.meta.changes };
  },
  async script({ sql }) {
    const db = await database();
    const plain = sql.replaceAll(/--.*$/gm, "");
    for (const one of plain.split(";").map((part) => part.trim()).filter(Boolean)) await db.prepare(one).run();
    return {};
  },
  async cron() {
    const worker = await running.getWorker();
    return worker.scheduled({ cron: "0 * * * *" });
  },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  let said;
  try {
    said = await acts[order.do](order);
  } catch (error) {
    said = { error: String(error?.message ?? error).slice(0, 500) };
  }
  process.stdout.write(`\u0001${JSON.stringify(said)}\n`);
}
await running?.dispose();
process.exit(0);
