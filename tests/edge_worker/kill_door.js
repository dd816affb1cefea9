// The Worker with a point before and after whatever changes its D1: each is told to the test, which
// may kill it there. What D1 is asked stays as it is.
import worker from "./worker.js";

const CHANGES = /\b(?:INTO|UPDATE|DELETE FROM)\s+(\w+)/;
const tableOf = (sql) => (/^\s*(?:INSERT|UPDATE|DELETE)/.test(sql) ? CHANGES.exec(sql)[1] : "");

class Statement {
  constructor(door, sql, inner) {
    Object.assign(this, { door, inner, table: tableOf(sql), sql });
  }

  bind(...values) {
    return new Statement(this.door, this.sql, this.inner.bind(...values));
  }

  all() {
    return this.door.around([this.table], () => this.inner.all());
  }

  run() {
    return this.door.around([this.table], () => this.inner.run());
  }

  first(...names) {
    return this.door.around([this.table], () => this.inner.first(...names));
  }
}

class Door {
  constructor(db, points) {
    Object.assign(this, { db, points });
  }

  prepare(sql) {
    return new Statement(this, sql, this.db.prepare(sql));
  }

  batch(statements) {
    const tables = statements.map((one) => one.table);
    return this.around(tables, () => this.db.batch(statements.map((one) => one.inner)));
  }

  async around(tables, work) {
    const name = [...new Set(tables.filter(Boolean))].join("+");
    if (name) await fetch(`${this.points}/${name}:before`);
    const found = await work();
    if (name) await fetch(`${this.points}/${name}:after`);
    return found;
  }
}

const behind = (env) => ({ ...env, DB: new Door(env.DB, env.POINTS) });

export default {
  fetch: (request, env, context) => worker.fetch(request, behind(env), context),
  scheduled: (event, env, context) => worker.scheduled(event, behind(env), context),
};
