import Database from 'better-sqlite3';

/**
 * Orders of a shop: text that compresses as real text does, an index, and rows of about 1 KB.
 * Random words from a fixed vocabulary; a fixed seed makes every run's database the same. Returns the number of rows.
 */
export function makeShopDatabase(path, megabytes) {
  const database = new Database(path);
  database.pragma('synchronous = OFF');
  database.exec(`
    CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER, note TEXT, payload BLOB);
    CREATE INDEX orders_customer ON orders (customer);
  `);
  let state = 42;
  const random = (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const words = Array.from({ length: 4096 }, () => random(2 ** 31).toString(36));
  const insert = database.prepare('INSERT INTO orders (customer, note, payload) VALUES (?, ?, ?)');
  const rows = Math.round((megabytes * 1024 * 1024) / 1060);
  for (let done = 0; done < rows; done += 20_000) {
    database.transaction(() => {
      for (let n = 0; n < 20_000 && done + n < rows; n++) {
        const note = Array.from({ length: 80 }, () => words[random(4096)]).join(' ');
        const payload = Buffer.alloc(400);
        for (let i = 0; i < 400; i += 4) payload.writeUInt32LE(random(2 ** 32), i);
        insert.run(random(100_000), note, payload);
      }
    })();
  }
  database.close();
  return rows;
}
