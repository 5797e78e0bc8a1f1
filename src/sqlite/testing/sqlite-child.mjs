/**
 * Another process with one SQLite connection, led by its parent over IPC:
 *   { open: path, options }   { exec: sql }   { close: true }
 *   { repeat: [sql, …] }: runs these over and over, one transaction each, until { repeat: null }
 * Each message is answered with { ok: true } or { error: code }. SIGKILL is the parent's to send.
 */
import Database from 'better-sqlite3';

let database = null;
let repeated = null;

function repeat() {
  if (repeated === null) return;
  for (const sql of repeated) database.exec(sql);
  setImmediate(repeat);
}

process.on('message', (message) => {
  try {
    if (message.open !== undefined) database = new Database(message.open, message.options ?? {});
    if (message.exec !== undefined) database.exec(message.exec);
    if (message.repeat !== undefined) {
      repeated = message.repeat;
      setImmediate(repeat);
    }
    if (message.close === true) database.close();
    process.send({ ok: true });
  } catch (error) {
    process.send({ error: error.code ?? String(error) });
  }
});
