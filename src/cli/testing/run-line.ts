import { fileURLToPath } from 'node:url';
import { systemClock } from '../../kernel/clock.ts';
import { connectDaemon } from '../daemon-connection.ts';
import { runProgram } from '../program.ts';
import type { Terminal } from '../terminal.ts';

export interface LineResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout as JSON. */
  readonly document: Record<string, unknown>;
}

export interface LineOptions {
  readonly environment?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
  /** The answer of whoever sits at the terminal; null: nobody does. */
  readonly answer?: string | null;
  readonly worker?: string;
}

const SCRIPTED_WORKER = fileURLToPath(new URL('./scripted-worker.mjs', import.meta.url));

/** Runs one command line in this process, with a terminal that is read afterwards. */
export async function runLine(
  argv: readonly string[],
  { environment = {}, signal, answer = null, worker = SCRIPTED_WORKER }: LineOptions = {},
): Promise<LineResult> {
  let stdout = '';
  let stderr = '';
  const terminal: Terminal = {
    out: (text) => {
      stdout += `${text}\n`;
    },
    send: async (pieces) => {
      for await (const piece of pieces) stdout += Buffer.from(piece).toString('utf8');
      return true;
    },
    note: (text) => {
      stderr += `${text}\n`;
    },
    raw: (text) => {
      stderr += text;
    },
    animated: false,
    columns: 80,
    color: false,
    noteColor: false,
    interactive: answer !== null,
    read: async () => answer ?? '',
    ask: async (question) => {
      stderr += question;
      return answer ?? '';
    },
  };
  const exitCode = await runProgram(argv, {
    version: '1.2.3',
    out: (text) => {
      stdout += text;
    },
    note: (text) => {
      stderr += text;
    },
    openContext: () => ({
      terminal,
      environment,
      clock: systemClock,
      signal: signal ?? new AbortController().signal,
      version: '1.2.3',
      programPath: () => worker,
      connect: (options) =>
        connectDaemon({ options, environment, clock: systemClock, version: '1.2.3' }),
    }),
  });
  return {
    exitCode,
    stdout,
    stderr,
    get document() {
      return JSON.parse(stdout) as Record<string, unknown>;
    },
  };
}
