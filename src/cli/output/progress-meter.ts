import type { Clock } from '../../kernel/clock.ts';
import type { Terminal } from '../terminal.ts';
import { formatBytes } from './format-bytes.ts';
import { formatDuration } from './format-time.ts';
import { printable } from './printable.ts';
import { displayWidth } from './table.ts';

/** What there is to show; the shape of a job's progress on the wire, any of it unknown. */
export interface ProgressView {
  readonly phase: string;
  readonly currentFile: string | null;
  readonly filesDone: number;
  readonly totalFiles: number | null;
  readonly bytesDone: number;
  readonly totalBytes: number | null;
  readonly percentDone: number | null;
  readonly throughputBps: number | null;
  readonly etaSeconds: number | null;
}

export interface ProgressMeter {
  update(progress: ProgressView): void;
  /** A line for people; on a terminal the bar moves below it. */
  note(line: string): void;
  /** Takes the bar away. */
  end(): void;
}

const BAR_CELLS = 20;
const REDRAW_GAP_MS = 100;
const LINE_GAP_MS = 1_000;

/** `hash 42% [########------------] 3/7 files, 1.2 GiB of 2.0 GiB, 85 MiB/s, 9.0 s left` */
export function renderProgress(progress: ProgressView, withBar: boolean): string {
  const { percentDone, totalFiles, filesDone, bytesDone, totalBytes } = progress;
  const parts: string[] = [];
  if (totalFiles !== null) parts.push(`${filesDone}/${totalFiles} files`);
  else if (filesDone > 0) parts.push(`${filesDone} files`);
  if (totalBytes !== null && totalBytes > 0) {
    parts.push(`${formatBytes(bytesDone)} of ${formatBytes(totalBytes)}`);
  } else if (bytesDone > 0) parts.push(formatBytes(bytesDone));
  if (progress.throughputBps !== null && progress.throughputBps > 0) {
    parts.push(`${formatBytes(progress.throughputBps)}/s`);
  }
  if (progress.etaSeconds !== null && percentDone !== 1) {
    parts.push(`${formatDuration(progress.etaSeconds * 1000)} left`);
  }
  if (progress.currentFile !== null) parts.push(printable(progress.currentFile));
  const head = [printable(progress.phase)];
  if (percentDone !== null) {
    // Cut, so that 100% is shown for nothing but the end.
    head.push(`${Math.floor(percentDone * 100)}%`);
    if (withBar) {
      const filled = Math.floor(percentDone * BAR_CELLS);
      head.push(`[${'#'.repeat(filled)}${'-'.repeat(BAR_CELLS - filled)}]`);
    }
  }
  return [head.join(' '), parts.join(', ')].filter((part) => part !== '').join(' ');
}

function cut(text: string, columns: number): string {
  if (displayWidth(text) < columns) return text;
  let shown = '';
  for (const character of text) {
    if (displayWidth(shown + character) >= columns - 1) break;
    shown += character;
  }
  return `${shown}…`;
}

/** A bar on a terminal, otherwise a plain line at most once a second; always on stderr. */
export function openProgressMeter(terminal: Terminal, clock: Clock): ProgressMeter {
  return terminal.animated ? barMeter(terminal, clock) : lineMeter(terminal, clock);
}

const ERASE_LINE = '\r\u001b[2K';

function barMeter(terminal: Terminal, clock: Clock): ProgressMeter {
  let drawnAtMs = Number.NEGATIVE_INFINITY;
  let drawn = '';
  const draw = (line: string): void => {
    drawn = line;
    terminal.raw(`${ERASE_LINE}${line}`);
  };
  return {
    update(progress) {
      const nowMs = clock.monotonicMs();
      if (nowMs - drawnAtMs < REDRAW_GAP_MS && progress.percentDone !== 1) return;
      drawnAtMs = nowMs;
      draw(cut(renderProgress(progress, true), terminal.columns));
    },
    note(line) {
      const bar = drawn;
      if (bar !== '') terminal.raw(ERASE_LINE);
      terminal.note(line);
      if (bar !== '') draw(bar);
    },
    end() {
      if (drawn !== '') terminal.raw(ERASE_LINE);
      drawn = '';
    },
  };
}

function lineMeter(terminal: Terminal, clock: Clock): ProgressMeter {
  let printedAtMs = Number.NEGATIVE_INFINITY;
  let printed = '';
  return {
    update(progress) {
      const nowMs = clock.monotonicMs();
      if (nowMs - printedAtMs < LINE_GAP_MS) return;
      const line = renderProgress(progress, false);
      if (line === printed) return;
      printedAtMs = nowMs;
      printed = line;
      terminal.note(line);
    },
    note: (line) => terminal.note(line),
    end: () => {},
  };
}

/** For `--quiet`: nothing is drawn. */
export const silentMeter: ProgressMeter = { update: () => {}, note: () => {}, end: () => {} };
