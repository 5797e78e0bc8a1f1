import { readFileSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { listQuarantine } from '../files/quarantine/quarantine.ts';
import { listReports } from './report-store.ts';
import {
  childPages,
  makeDatabase,
  query,
  rootPage,
  Workbench,
  zeroPage,
} from './testing/workbench.ts';

let bench: Workbench;
beforeEach(async () => {
  bench = await Workbench.create();
});
afterEach(() => bench.remove());

it('Z-D14, F34: rows that salvage found and could put nowhere are kept beside the damaged original', async () => {
  const app = bench.path('app.db');
  makeDatabase(app);
  query(app, (database) => {
    database.exec(`CREATE TABLE pairs(id INTEGER PRIMARY KEY, word TEXT); CREATE INDEX pairs_word ON pairs(word);
      INSERT INTO pairs(word) VALUES ('only once'), ('twice'), ('twice')`);
    database.unsafeMode();
    database.exec(`PRAGMA writable_schema = ON;
      UPDATE sqlite_schema SET sql = 'CREATE UNIQUE INDEX pairs_word ON pairs(word)' WHERE name = 'pairs_word'`);
  });
  zeroPage(app, childPages(app, rootPage(app, 'notes'))[2]!);

  expect(await bench.recover({ acceptLoss: true })).toMatchObject({ recovered: 1 });

  const [kept] = await listQuarantine(bench.state);
  const member = kept!.items[0]!.members.find(
    ({ name }) => name === 'app.db.salvage-rejects.jsonl',
  );
  expect(member).toMatchObject({ sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
  const [report] = await listReports(bench.state);
  expect(report).toMatchObject({ rung: 'salvage', quarantineId: kept!.id });
  const { file, bytes } = report!.rejects!;
  const rows = readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(rows).toContainEqual(expect.objectContaining({ table: 'pairs' }));
  expect(JSON.stringify(rows)).toContain('twice');
  expect(bytes).toBe(member!.bytes);
  rmSync(file);
});
