import Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitStatements } from './split-statements.ts';
import { stepStatements } from './step-statements.ts';

const texts = (script: string): string[] => splitStatements(script).map(({ sql }) => sql.trim());

describe('splitStatements()', () => {
  it('keeps quotes, comments and the bodies of triggers together', () => {
    const trigger = `CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN
      UPDATE a SET b = CASE WHEN 1 THEN ';' END; -- end;
      INSERT INTO a VALUES (1); END`;
    const script = `-- first; comment
      CREATE TABLE a (b TEXT DEFAULT ';', "c;d", [e;f], \`g;h\`); /* ; */;;
      ${trigger};
      SELECT 'it''s; fine'`;
    expect(texts(script)).toEqual([
      `CREATE TABLE a (b TEXT DEFAULT ';', "c;d", [e;f], \`g;h\`)`,
      trigger,
      `SELECT 'it''s; fine'`,
    ]);
    expect(splitStatements(script).map(({ line }) => line)).toEqual([2, 3, 6]);
  });

  it('names the line of a quote that is never closed', () => {
    expect(() => splitStatements("SELECT 1;\nSELECT 'a")).toThrow(/line 2/);
  });

  it('takes any text as SQLite does', () => {
    const database = new Database(':memory:');
    database.exec('CREATE TABLE a (b)');
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { maxLength: 8 }), (values) => {
        const clean = values.map((value) =>
          value.replaceAll('\0', '').replace(/[\ud800-\udfff]/g, ''),
        );
        const quoted = clean.map(
          (value) => `INSERT INTO a VALUES ('${value.replaceAll("'", "''")}')`,
        );
        database.exec('DELETE FROM a');
        for (const { sql } of splitStatements(quoted.join(';/*;*/\n'))) database.exec(sql);
        expect(database.prepare('SELECT b FROM a ORDER BY rowid').pluck().all()).toEqual(clean);
      }),
      { numRuns: 25 },
    );
    database.close();
  });

  it('is not overwhelmed by a long text', () => {
    const long = `SELECT '${'x'.repeat(3_900_000)}'; SELECT 2`;
    expect(splitStatements(long).map(({ sql }) => sql.length)).toEqual([3_900_009, 8]);
  });
});

describe('the statements of a step', () => {
  it('F36: may not end its transaction, nor leave its database', () => {
    for (const sql of [
      'BEGIN',
      'begin immediate',
      'COMMIT',
      'END',
      'ROLLBACK',
      'SAVEPOINT a',
      'RELEASE a',
      "ATTACH 'x' AS y",
      'DETACH y',
      'VACUUM',
      "VACUUM INTO 'x'",
      'PRAGMA journal_mode = DELETE',
      'PRAGMA writable_schema = ON',
      'PRAGMA main/**/.writable_schema = ON',
      'PRAGMA/**/"main".journal_mode = DELETE',
    ]) {
      const script = `CREATE TABLE a (b);\n/* x */ ${sql};`;
      expect(() => stepStatements(script, 'step')).toThrow(/line 2/);
    }
    expect(
      stepStatements('PRAGMA user_version = 3; PRAGMA main.user_version(4)', 'x'),
    ).toHaveLength(2);
  });
});
