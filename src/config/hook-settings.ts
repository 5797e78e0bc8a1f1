/** Commands that are run around the work, and what they give out for it. */

/** Text for the shell, or a program and its arguments. */
export type HookCommand = string | readonly string[];

export interface HookSettings {
  readonly command: HookCommand;
  readonly timeoutMs: number;
  /** A failure of a hook before the work does not stop it. */
  readonly continueOnError: boolean;
  /** Also gets the variables of an earlier system. */
  readonly legacyNames: boolean;
}

export type HookPhase = 'pre' | 'post' | 'preRestore' | 'postRestore';

/** Of a source, null: the top level's; false: none. */
export type HooksSettings = Readonly<Record<HookPhase, HookSettings | false | null>>;

/** Collects what an application gives out by a command. */
export interface PluginSettings {
  readonly preset: string | null;
  readonly name: string;
  readonly command: HookCommand | null;
  readonly directory: string;
  /** Relative to `directory`. */
  readonly include: readonly string[];
  readonly restoreCommand: HookCommand | null;
  readonly timeoutMs: number;
}
