/** One way of one step. */
export interface StepWay {
  /** Absolute. */
  readonly file: string;
  readonly kind: 'sql' | 'module';
  /** SHA-256 of the file's bytes. */
  readonly checksum: string;
  /** The file's text. */
  readonly text: string;
}

/** From the version before to `version`, and back where it can be undone. */
export interface Step {
  readonly version: string;
  readonly name: string;
  /** What `user_version` is once it has run. */
  readonly number: number;
  readonly up: StepWay;
  readonly down: StepWay | null;
}

/** Every step of one database, by semantic version. */
export interface StepSet {
  readonly directory: string;
  readonly steps: readonly Step[];
}
