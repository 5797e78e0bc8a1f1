import { systemClock } from '../kernel/clock.ts';
import { cannot, messageOf } from '../kernel/errors.ts';
import type { CommandContext } from './context.ts';
import { connectDaemon } from './daemon-connection.ts';
import { EXIT } from './exit-codes.ts';
import { type ParsedGlobals, runProgram } from './program.ts';
import { programPath } from './programs.ts';
import { openTerminal, type TerminalStreams } from './terminal.ts';

/** The command line: `bin/holdfast`. The version is put in when it is bundled. */
const VERSION = process.env.HOLDFAST_VERSION ?? '0.0.0-source';

const watched = new WeakSet<NodeJS.WriteStream>();

/** A reader that has seen enough, such as head(1), is no failure. */
function quiet<Stream extends NodeJS.WriteStream>(stream: Stream): Stream {
  if (watched.has(stream)) return stream;
  watched.add(stream);
  return stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? EXIT.ok);
    throw error;
  });
}

const STREAMS: TerminalStreams = {
  get stdin() {
    return process.stdin;
  },
  get stdout() {
    return quiet(process.stdout);
  },
  get stderr() {
    return quiet(process.stderr);
  },
};

/** The first signal asks the command to end in order, the second ends it. */
function cancelOnSignal(): AbortSignal {
  const controller = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(EXIT.cancelled);
    controller.abort(cannot('CANCELLED', 'finish', 'the command', `it was stopped by ${signal}`));
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  return controller.signal;
}

function openContext(command: string, options: ParsedGlobals): CommandContext {
  const { env: environment } = process;
  return {
    terminal: openTerminal(STREAMS, environment, options.color),
    environment,
    clock: systemClock,
    // The daemon deals with signals itself.
    signal: command === 'daemon' ? new AbortController().signal : cancelOnSignal(),
    version: VERSION,
    programPath,
    connect: (chosen) =>
      connectDaemon({ options: chosen, environment, clock: systemClock, version: VERSION }),
  };
}

runProgram(process.argv.slice(2), {
  version: VERSION,
  out: (text) => void STREAMS.stdout.write(text),
  note: (text) => void STREAMS.stderr.write(text),
  openContext,
}).then(
  (exitCode) => {
    process.exitCode = exitCode;
  },
  (error: unknown) => {
    STREAMS.stderr.write(`holdfast: ${messageOf(error)}\n`);
    process.exitCode = EXIT.failed;
  },
);
