/** Options that every command takes; as commander names them. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly config?: string;
  readonly data?: readonly string[];
  readonly repository?: string;
  readonly keyFile?: string;
  readonly passphraseFile?: string;
  readonly state?: string;
  readonly socket?: string;
}
