import { describe, expect, it } from 'vitest';
import { EXIT } from './exit-codes.ts';
import { runLine } from './testing/run-line.ts';
import { followScript, scriptedJob } from './testing/scripted-daemon.ts';
import { scriptedLines } from './testing/scripted-lines.ts';

const withScript = scriptedLines();

const REF = 'snapshots/20260102-030405-0123456789ab.snap';
const MANIFEST = {
  database: 'data/app.db',
  payloadFormat: 'sqlite-file',
  bytes: 4096,
  cursor: '7',
};

/** A daemon whose job of this method ends so. */
function ending(
  method: 'artifact.publish' | 'artifact.import' | 'artifact.fetch' | 'artifact.verify',
  kind: 'artifact' | 'publish',
  end: object,
) {
  return {
    [method]: () => ({ job: scriptedJob({ kind }), coalesced: false }),
    ...followScript({ kind, status: 'succeeded', ...end }),
  };
}

const published = {
  result: {
    artifacts: [{ ref: REF, alias: 'snapshots/latest', stored: 'stored', manifest: MANIFEST }],
  },
};

describe('holdfast artifact', () => {
  it('C-17: publish ends with the bare reference on the last line; with --porcelain there is nothing else', async () => {
    const { line, calls } = await withScript(ending('artifact.publish', 'publish', published));
    const shown = await line(['artifact', 'publish', 'app', '--key-prefix', 'a/', '--no-alias']);
    expect(shown.exitCode).toBe(0);
    expect(shown.stdout.trimEnd().split('\n').at(-1)).toBe(REF);
    expect(shown.stdout).toContain('data/app.db: sqlite-file, 4.0 KiB, cursor 7, not signed');
    expect(calls.find(({ method }) => method === 'artifact.publish')?.params).toEqual({
      ...{ sourceId: 'app', keyPrefix: 'a/', alias: null },
    });
    const bare = await line(['artifact', 'publish', '--alias', 'x/latest', '--porcelain']);
    expect(bare).toMatchObject({ exitCode: 0, stdout: `${REF}\n` });
  });

  it('C-17: import by force asks, names the source that it means, and fails with the exit code of its error', async () => {
    const error = { code: 'VERIFY_FAILED', message: 'Cannot accept', retryable: false } as const;
    const sources = {
      'source.list': () => ({ items: [{ id: 'app', name: 'app' }], nextCursor: null }),
    };
    const end = ending('artifact.import', 'artifact', { status: 'failed', error });
    const { line, calls } = await withScript({ ...sources, ...end } as never);
    const importing = ['artifact', 'import', '--ref', 'snapshots/latest', '--force'];
    expect((await line(importing)).exitCode).toBe(EXIT.usage);
    expect((await line(importing, { answer: 'n' })).exitCode).toBe(EXIT.cancelled);
    expect((await line(importing, { answer: 'y' })).exitCode).toBe(EXIT.verificationFailed);
    expect(calls.find(({ method }) => method === 'artifact.import')?.params).toEqual({
      ...{ ref: 'snapshots/latest', sourceId: 'app', force: true, confirm: 'app' },
    });
  });

  it.each([
    [['artifact', 'verify']],
    [['artifact', 'verify', 'a.snap', '--ref', 'b']],
    [['artifact', 'export']],
    [['artifact', 'export', 'app', '--file', 'a.db', '--out', 'b']],
    [['artifact', 'export', '--out', 'b', '--format', 'csv']],
    [['artifact', 'fetch', 'snapshots/latest']],
  ])('C-17: %j is refused with exit code 2', async (argv) => {
    const result = await runLine(argv, { environment: { HOLDFAST_SOCKET: '/nonexistent' } });
    expect(result).toMatchObject({ exitCode: EXIT.usage, stdout: '' });
  });

  it('C-17, F19: list shows aliases, and what is damaged', async () => {
    const nothing = {
      kind: null,
      payloadFormat: null,
      checksum: null,
      bytes: null,
      sourceId: null,
    };
    const none = { database: null, snapshotId: null, modelVersion: null, schemaVersion: null };
    const damaged = { ...nothing, ...none, cursor: null, createdAt: null, signedWith: null };
    const whole = { ...damaged, createdAt: '2026-01-02T03:04:05.000Z', signedWith: 'k', bytes: 9 };
    const items = [
      { ...whole, ref: REF, aliases: ['snapshots/latest'] },
      { ...damaged, ref: 'b.snap', aliases: [] },
    ];
    const { line } = await withScript({
      'artifact.list': () => ({ items, nextCursor: null }),
    } as never);
    const { stdout } = await line(['artifact', 'list']);
    expect(stdout).toMatch(/snapshots\/latest/);
    expect(stdout).toMatch(/b\.snap.*damaged/);
    expect((await line(['artifact', 'list', '--porcelain'])).stdout).toBe(`${REF}\nb.snap\n`);
  });
});
