/**
 * A small shop that knows nothing of Holdfast: it takes an order every 20 ms, and writes a receipt for some.
 *   node shop.mjs <directory>
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';

const directory = process.argv[2];
const database = new Database(join(directory, 'shop.db'), { timeout: 5000 });
database.pragma('journal_mode = WAL');
database.exec(`
  CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, cents INTEGER NOT NULL, note TEXT);
  CREATE INDEX IF NOT EXISTS orders_customer ON orders (customer);
`);
// Years of business: a new shop would fit in the first pages of its write-ahead log.
database.exec(`
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
  INSERT INTO orders (customer, cents, note)
  SELECT 'customer ' || (i % 500), i * 7919 % 10000, 'paid in the years before, order ' || i || hex(randomblob(80))
  FROM n WHERE NOT EXISTS (SELECT 1 FROM orders);
`);
const insert = database.prepare('INSERT INTO orders (customer, cents, note) VALUES (?, ?, ?)');
process.stdout.write('open\n');
setInterval(() => {
  const customer = `customer ${Math.floor(Math.random() * 500)}`;
  const cents = Math.floor(Math.random() * 10_000);
  const { lastInsertRowid } = insert.run(customer, cents, 'paid '.repeat(40));
  if (lastInsertRowid % 50 === 0) {
    writeFileSync(join(directory, 'receipts', `${lastInsertRowid}.txt`), `${customer}: ${cents}\n`);
  }
}, 20);
