import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EXIT } from './exit-codes.ts';
import { exportFormat } from './export-format.ts';
import { runOfflineLine } from './testing/offline-line.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-transfer-'));
  await mkdir(join(directory, 'app'));
});
afterEach(() => rm(directory, { recursive: true }));

const line = (argv: string[], behaviour?: string) => runOfflineLine(directory, argv, behaviour);

async function file(name: string, content: string | Buffer): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
}

describe('holdfast export', () => {
  it('F22: guesses the format by the name of the file, unless it is told', () => {
    for (const [name, format] of [
      ['a.db', 'db'],
      ['a.sqlite3', 'db'],
      ['a.SQL', 'sql'],
      ['a.ndjson', 'jsonl'],
      ['a.tgz', 'tar.gz'],
      ['a.tar.gz', 'tar.gz'],
      ['a.tar.zst', 'tar.zst'],
      ['a.tar', 'tar'],
      ['a.zip', 'zip'],
    ] as const) {
      expect(exportFormat(undefined, name)).toBe(format);
    }
    expect(exportFormat('sql', 'a.db')).toBe('sql');
    expect(() => exportFormat(undefined, '-')).toThrow(/format/);
  });

  it.each([
    [['export', 'latest']],
    [['export', '--to', '/x/a.db']],
    [['export', '--now', '--to', '/x/a.db']],
    [['export', 'latest', '--now', '--source', 'app', '--to', '/x/a.db']],
    [['export', 'latest', '--file', '/x/b.db', '--to', '/x/a.db']],
    [['export', 'latest', '--to', '/x/a']],
    [['export', 'latest', '--to', '-', '--format', 'db', '--no-wait']],
  ])('%j is a mistake of whoever asks', async (argv) => {
    expect(await line(argv)).toMatchObject({ exitCode: EXIT.usage, stdout: '' });
  });

  it.each([
    [
      ['export', 'latest', '--to', '/x/a.zip', '--path', 'data/a', '--part', 'data', '--no-verify'],
      { format: 'zip', snapshotId: 'latest', paths: ['data/a'], classes: ['data'], verify: false },
    ],
    [
      ['export', 'abcd', '--to', '/x/a.jsonl', '--table', 't', '--table', 'u', '--overwrite'],
      { format: 'jsonl', snapshotId: 'abcd', tables: ['t', 'u'], overwrite: true },
    ],
    [
      ['export', '--source', 'app', '--now', '--database', 'data/a.db', '--to', '/x/a.sql'],
      { format: 'sql', sourceId: 'app', database: 'data/a.db' },
    ],
  ])('%j runs the same operation in a worker', async (argv, params) => {
    const { document, exitCode, stderr } = await line([...argv, '--json']);
    expect(exitCode, stderr).toBe(0);
    const to = { type: 'file', path: argv[argv.indexOf('--to') + 1] };
    expect((document['stats'] as { params: unknown }).params).toEqual({ ...params, to });
  });

  it('F22: of any file runs beside a daemon, in a folder of its own that is gone afterwards', async () => {
    const to = join(directory, 'a.sql');
    const { document } = await line(['export', '--file', 'x.db', '--to', to, '--json']);
    const { params, offline, stateDirectory } = document['stats'] as Record<string, any>;
    expect(params).toMatchObject({ file: expect.stringMatching(/^\/.*x\.db$/), to: { path: to } });
    expect(offline).toBe(false);
    expect(stateDirectory.startsWith(directory)).toBe(true);
    expect(await readdir(directory)).toEqual(['app']);
  });

  it('a job that fails says so on stderr, and stdout stays empty', async () => {
    const argv = ['export', 'latest', '--format', 'db', '--to', '-', '--json'];
    const failed = await line(argv, 'locked');
    expect(failed).toMatchObject({ exitCode: EXIT.busy, stdout: '' });
    expect(failed.stderr).toContain('INSTANCE_LOCKED');
  });
});

describe('holdfast import', () => {
  it('tells apart what it is given by content, and asks before it changes anything', async () => {
    const sql = await file('a.txt', 'CREATE TABLE a (b);');
    const jsonl = await file('b.txt', '{"$table":"a"}\n');
    const archive = await file('c.txt', Buffer.from('PK\x03\x04'));
    const into = ['--source', 'data', '--json'];
    const paramsOf = async (argv: string[]) => {
      const { document, exitCode, stderr } = await line(argv);
      expect(exitCode, stderr).toBe(0);
      return (document['stats'] as { params: Record<string, unknown> }).params;
    };
    for (const [argv, params] of [
      [['import', sql, '--yes'], { into: 'database', from: sql, checkpoint: true }],
      [['import', jsonl, '--mode', 'new-db', '--dry-run'], { into: 'database', dryRun: true }],
      [
        ['import', jsonl, '--mode', 'upsert', '--live', '--yes'],
        { into: 'tables', mode: 'upsert', live: true },
      ],
      [['import', archive, '--under', 'data/x'], { into: 'snapshot', under: 'data/x' }],
    ] as const) {
      expect(await paramsOf([...argv, ...into])).toMatchObject({ ...params, sourceId: 'data' });
    }
    for (const argv of [
      ['import', sql],
      ['import', sql, '--mode', 'replace', '--yes'],
      ['import', jsonl, '--yes'],
      ['import', sql, '--in-place', '--yes'],
      ['import', archive, '--dry-run'],
      ['import', sql, '--to', '/x/y.db'],
    ]) {
      expect(await line([...argv, ...into]), argv.join(' ')).toMatchObject({
        exitCode: EXIT.usage,
      });
    }
    expect((await line(['import', sql])).exitCode).toBe(EXIT.usage);
    expect((await line(['import', join(directory, 'none'), ...into])).exitCode).toBe(EXIT.notFound);
  });
});
