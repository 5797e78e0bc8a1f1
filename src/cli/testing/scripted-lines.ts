import { afterEach } from 'vitest';
import { type LineOptions, runLine } from './run-line.ts';
import { type ScriptedDaemon, startScriptedDaemon } from './scripted-daemon.ts';

/** Command lines against a daemon that follows a script: called once in a file, it stops the daemon after each test. */
export function scriptedLines() {
  let daemon: ScriptedDaemon | null = null;
  afterEach(async () => {
    await daemon?.stop();
    daemon = null;
  });
  return async (script: Parameters<typeof startScriptedDaemon>[0]) => {
    daemon = await startScriptedDaemon(script);
    const environment = { HOLDFAST_SOCKET: daemon.socketPath };
    return {
      calls: daemon.calls,
      line: (argv: string[], options: LineOptions = {}) =>
        runLine(argv, { environment, ...options }),
    };
  };
}
