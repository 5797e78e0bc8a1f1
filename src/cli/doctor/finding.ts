/** One thing that was looked at, and how it is. */
export interface Finding {
  /** Stable name of the examination: `node`, `socket`, `space`. */
  readonly check: string;
  readonly severity: 'ok' | 'warning' | 'error';
  readonly message: string;
  /** What the operator can do about it. */
  readonly hint?: string;
}

export const ok = (check: string, message: string): Finding => ({ check, severity: 'ok', message });

export const warning = (check: string, message: string, hint: string): Finding => ({
  check,
  severity: 'warning',
  message,
  hint,
});

export const failure = (check: string, message: string, hint: string): Finding => ({
  check,
  severity: 'error',
  message,
  hint,
});
