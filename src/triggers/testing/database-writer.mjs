import Database from 'better-sqlite3';

/**
 * Another process that uses a database: `node database-writer.mjs PATH JOURNAL_MODE`, told what to do by messages.
 * `{write: n}` n commits, then `{written: n}`; `{writeEveryMs: n}` until `{writeEveryMs: 0}`; `{tryWrite: true}`
 * answers `{wrote}`: whether it got the lock at once.
 */
const [path, journalMode] = process.argv.slice(2);
const database = new Database(path, { timeout: 0 });
database.pragma(`journal_mode = ${journalMode}`);
database.exec('CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY, text TEXT)');
const insert = database.prepare('INSERT INTO entry (text) VALUES (?)');
let timer;

function tryWrite() {
  try {
    insert.run('tried');
    return true;
  } catch (error) {
    if (error.code === 'SQLITE_BUSY') return false;
    throw error;
  }
}

process.on('message', (message) => {
  if (message.write !== undefined) {
    for (let index = 0; index < message.write; index += 1) insert.run(`row ${index}`);
    process.send({ written: message.write });
  }
  if (message.writeEveryMs !== undefined) {
    clearInterval(timer);
    if (message.writeEveryMs > 0) timer = setInterval(() => insert.run('on'), message.writeEveryMs);
    process.send({ writing: message.writeEveryMs > 0 });
  }
  if (message.tryWrite === true) process.send({ wrote: tryWrite() });
});
process.on('disconnect', () => process.exit(0));
process.send({ ready: true });
