import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { manualClock } from '../../host/testing/manual-clock.ts';
import type { Terminal } from '../terminal.ts';
import { formatBytes } from './format-bytes.ts';
import { formatAge, formatDuration, formatTime } from './format-time.ts';
import { printable } from './printable.ts';
import { openProgressMeter, type ProgressView, renderProgress } from './progress-meter.ts';
import { displayWidth, renderFields, renderTable } from './table.ts';

describe('formatBytes()', () => {
  it('uses powers of 1024 and never shows 1024 of a unit', () => {
    expect(formatBytes(0)).toBe('0 B');
    expect(formatBytes(1023)).toBe('1023 B');
    expect(formatBytes(1024)).toBe('1.0 KiB');
    expect(formatBytes(1024 ** 2 - 1)).toBe('1.0 MiB');
    expect(formatBytes(340 * 1024 ** 2)).toBe('340 MiB');
    expect(formatBytes(1.5 * 1024 ** 4)).toBe('1.5 TiB');
    expect(formatBytes(1_125_350_151_028_736)).toBe('1.0 PiB');
  });

  it('stays within half a shown digit of the truth', () => {
    const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (bytes) => {
        const [value, unit] = formatBytes(bytes).split(' ');
        const shown = Number(value) * 1024 ** units.indexOf(unit!);
        const digit = (value!.includes('.') ? 0.1 : 1) * 1024 ** units.indexOf(unit!);
        expect(Math.abs(shown - bytes)).toBeLessThanOrEqual(digit / 2 + 1);
        expect(Number(value)).toBeLessThan(1024);
      }),
    );
  });
});

describe('times', () => {
  it('formatDuration() shows the two largest units', () => {
    expect(formatDuration(850)).toBe('850 ms');
    expect(formatDuration(4_200)).toBe('4.2 s');
    expect(formatDuration(59_990)).toBe('59 s');
    expect(formatDuration(200_000)).toBe('3 min 20 s');
    expect(formatDuration(5 * 3_600_000)).toBe('5 h');
    expect(formatDuration(12 * 86_400_000 + 4 * 3_600_000)).toBe('12 d 4 h');
  });

  it('formatAge() tells past, future and never apart', () => {
    const now = Date.parse('2026-01-02T00:00:00.000Z');
    expect(formatAge('2026-01-01T23:59:00.000Z', now)).toBe('1 min ago');
    expect(formatAge('2026-01-02T03:00:00.000Z', now)).toBe('in 3 h');
    expect(formatAge(null, now)).toBe('never');
    expect(formatTime('2026-03-04T05:06:07.890Z')).toBe('2026-03-04 05:06:07Z');
  });
});

describe('printable()', () => {
  it('lets no control character through, so that a file name cannot rewrite the screen', () => {
    expect(printable('a\u001b[2Jb\u202ec\n')).toBe('a\\u001b[2Jb\\u202ec\\u000a');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text)).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
      }),
    );
  });
});

describe('renderTable()', () => {
  it('F58: aligns columns by what is seen and leaves no trailing space', () => {
    const table = renderTable(
      [
        { title: 'NAME', cell: (row: { name: string; size: number }) => row.name },
        { title: 'SIZE', align: 'right', cell: (row) => String(row.size) },
        { title: 'NOTE', cell: () => '' },
      ],
      [
        { name: '日本', size: 5 },
        { name: 'e\u0301clair', size: 12345 },
      ],
      false,
    );
    const lines = table.split('\n');
    expect(lines[0]).toBe('NAME     SIZE  NOTE');
    expect(lines.slice(1).map(displayWidth)).toEqual([13, 13]);
    expect(table).not.toMatch(/ $/m);
  });

  it('renderFields() leaves absent values out', () => {
    expect(
      renderFields([
        ['id', 'x'],
        ['reason', null],
        ['source', 'app'],
      ]),
    ).toBe('id:     x\nsource: app');
  });
});

const view: ProgressView = {
  phase: 'hash',
  currentFile: 'data/app.db',
  filesDone: 3,
  totalFiles: 7,
  bytesDone: 1024,
  totalBytes: 2048,
  percentDone: 0.999,
  throughputBps: 512,
  etaSeconds: 2,
};

function recordingTerminal(animated: boolean): { terminal: Terminal; written: () => string } {
  let written = '';
  const append = (text: string): void => {
    written += text;
  };
  const terminal: Terminal = {
    out: () => {
      throw new Error('progress is not data');
    },
    note: (text) => append(`${text}\n`),
    send: async () => true,
    raw: append,
    animated,
    columns: 40,
    color: false,
    noteColor: false,
    interactive: false,
    read: async () => '',
    ask: async () => '',
  };
  return { terminal, written: () => written };
}

describe('progress', () => {
  it('renderProgress() never rounds up to 100%', () => {
    expect(renderProgress(view, false)).toBe(
      'hash 99% 3/7 files, 1.0 KiB of 2.0 KiB, 512 B/s, 2.0 s left, data/app.db',
    );
  });

  it('is at most one plain line a second where nobody watches', () => {
    const clock = manualClock();
    const { terminal, written } = recordingTerminal(false);
    const meter = openProgressMeter(terminal, clock);
    for (let step = 0; step < 40; step += 1) {
      meter.update({ ...view, filesDone: step });
      clock.advance(100);
    }
    meter.end();
    expect(written().trimEnd().split('\n')).toHaveLength(4);
    expect(written()).not.toContain('\u001b');
  });

  it('is one line on a terminal, never wider than it, and gone at the end', () => {
    const clock = manualClock();
    const { terminal, written } = recordingTerminal(true);
    const meter = openProgressMeter(terminal, clock);
    meter.update(view);
    meter.note('warning: x');
    meter.end();
    const frames = written().split('\r\u001b[2K');
    expect(frames.at(-1)).toBe('');
    expect(written()).toContain('\r\u001b[2Kwarning: x\n');
    for (const frame of frames) expect(displayWidth(frame.replace('\n', ''))).toBeLessThan(40);
  });
});
