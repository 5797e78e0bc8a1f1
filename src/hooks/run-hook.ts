import type { HookCommand, HookPhase, HookSettings } from '../config/hook-settings.ts';
import type { Settings, SourceSettings } from '../config/settings.ts';
import { type Command, type CommandResult, runCommand } from '../host/run-command.ts';
import type { Activity } from '../kernel/activity.ts';
import type { Clock } from '../kernel/clock.ts';
import { messageOf } from '../kernel/errors.ts';
import { type HookFacts, hookEnvironment } from './hook-environment.ts';

/** Output of one command that the log of the job keeps; the rest is counted. */
const LOGGED_BYTES_MAX = 1024 * 1024;

export interface HookResult {
  readonly phase: string;
  readonly ok: boolean;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly timedOut: boolean;
  /** The end of its output, at most 4 KiB. */
  readonly tail: string;
  readonly durationMs: number;
  /** Why it could not be started; null where it was. */
  readonly failure: string | null;
}

export interface HookContext {
  readonly activity: Activity;
  readonly clock: Clock;
  readonly shell: string;
}

/** The hook of a source for a moment: its own, the top level's where it says nothing, or null for none. */
export function hookOf(
  settings: Pick<Settings, 'hooks'>,
  source: Pick<SourceSettings, 'hooks'>,
  phase: HookPhase,
): HookSettings | null {
  return (source.hooks[phase] ?? settings.hooks[phase]) || null;
}

/** Runs a hook to its end. It never throws for what the command does: that is its result. */
export function runHook(
  hook: HookSettings,
  facts: HookFacts,
  directory: string,
  context: HookContext,
  signal: AbortSignal,
): Promise<HookResult> {
  const { command, timeoutMs, legacyNames } = hook;
  const environment = hookEnvironment(facts, legacyNames);
  const label = `hook(${facts.phase})`;
  return runLogged(command, label, { directory, environment, timeoutMs, signal }, context);
}

/** Runs a command with its output in the job's log, each line behind `label`. */
export async function runLogged(
  command: HookCommand,
  label: string,
  options: {
    readonly directory: string;
    readonly environment: Readonly<Record<string, string>>;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
  },
  { activity, clock, shell }: HookContext,
): Promise<HookResult> {
  const log = new BoundedLog(activity, label);
  try {
    const result = await runCommand(inShell(command, shell), {
      ...options,
      clock,
      onLine: (_stream, line) => log.line(line),
    });
    log.end();
    return { phase: label, ...outcomeOf(result) };
  } catch (error) {
    const failure = messageOf(error);
    const none = { exitCode: null, signal: null, timedOut: false, tail: '', durationMs: 0 };
    return { phase: label, ok: false, ...none, failure };
  }
}

function inShell(command: HookCommand, shell: string): Command {
  return typeof command === 'string' ? [shell, '-c', command] : command;
}

function outcomeOf({ exitCode, signal, timedOut, tail, durationMs }: CommandResult) {
  return { ok: exitCode === 0, exitCode, signal, timedOut, tail, durationMs, failure: null };
}

/** How a hook failed, in a few words. */
export function failureOf({ failure, timedOut, signal, exitCode }: HookResult): string {
  if (failure !== null) return failure;
  if (timedOut) return 'it took too long';
  return signal === null ? `it ended with exit code ${exitCode}` : `${signal} ended it`;
}

class BoundedLog {
  readonly #activity: Activity;
  readonly #label: string;
  #bytes = 0;
  #omitted = 0;

  constructor(activity: Activity, label: string) {
    this.#activity = activity;
    this.#label = label;
  }

  line(text: string): void {
    this.#bytes += Buffer.byteLength(text) + 1;
    if (this.#bytes > LOGGED_BYTES_MAX) this.#omitted += 1;
    else this.#activity.log(`${this.#label}: ${text}`);
  }

  end(): void {
    if (this.#omitted > 0) {
      this.#activity.log(`${this.#label}: … and ${this.#omitted} more lines of output`);
    }
  }
}
