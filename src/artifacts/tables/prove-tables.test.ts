import { describe, expect, it } from 'vitest';
import { quietActivity } from '../../kernel/activity.ts';
import type { TableCount } from './export-tables.ts';
import { proveTables } from './prove-tables.ts';
import { exported, memory, pieces } from './testing/table-files.ts';

const SQL = `CREATE TABLE a(x, y AS (x), "$rowid"); CREATE TABLE b(k TEXT PRIMARY KEY, v) WITHOUT ROWID;
  INSERT INTO a(x) VALUES(1), (1.0), (CAST(x'ff' AS TEXT)), (x'00'), (NULL); INSERT INTO b VALUES('k', -0.0);
  CREATE TABLE c(z);`;
const database = memory(SQL);
const proven = (text: string, table?: string): Promise<readonly TableCount[]> =>
  proveTables(pieces(text), database, {
    databaseName: 'data/app.db',
    ...(table === undefined ? {} : { table }),
    activity: quietActivity(),
  });

describe('proveTables()', () => {
  it('F17, T-20: an export is read back beside the rows that are stored', async () => {
    const { text, counts } = await exported(database);
    expect(counts.map(({ rows }) => rows)).toEqual([5, 1, 0]);
    expect(await proven(text)).toEqual(counts);
    for (const table of ['a', 'b', 'c']) {
      const plain = await exported(database, { tables: [table], plain: true });
      expect(await proven(plain.text, table)).toEqual(plain.counts);
    }
  });

  it('F17: whatever is not what is stored is found', async () => {
    const { text } = await exported(database);
    const unsigned = text.replace(/,"\$sha256":"[0-9a-f]*"/g, '');
    expect(await proven(unsigned)).toHaveLength(3);
    const changes: [RegExp, string][] = [
      [/\{"\$r":"1"\}/, '1'],
      [/\{"\$r":"-0"\}/, '{"$r":"0"}'],
      [/"\$t"/, '"$b"'],
      [/AA==/, 'AQ=='],
      [/\[5,null,null\]/, '[6,null,null]'],
      [/\[5,null,null\]\n\{"\$rows":5/, '{"$rows":4'],
      [/\{"\$rows":0\}/, '[1,1]\n{"$rows":1}'],
      [/\{"\$rows":5\}\n/, ''],
      [/\{"\$rows":5\}/, '{"$rows":6}'],
      [/"\$table":"b"/, '"$table":"q"'],
    ];
    for (const [found, other] of changes) {
      const bad = unsigned.replace(found, other);
      expect(bad).not.toBe(unsigned);
      await expect(proven(bad)).rejects.toMatchObject({ code: 'VERIFY_FAILED' });
    }
    const plain = (await exported(database, { tables: ['a'], plain: true })).text;
    for (const bad of ['', plain.slice(0, plain.indexOf('\n') + 1), `${plain}${plain}`]) {
      await expect(proven(bad, 'a')).rejects.toMatchObject({ code: 'VERIFY_FAILED' });
    }
  });
});
