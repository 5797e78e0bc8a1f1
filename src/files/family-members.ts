/** Endings of the files that belong to an SQLite database; they carry changes that the main file lacks. */
export const SIDECAR_SUFFIXES = ['-wal', '-shm', '-journal'] as const;

/** A database's main file and the names of its sidecars, whether they exist or not. */
export function familyMembers(main: string): string[] {
  return [main, ...SIDECAR_SUFFIXES.map((suffix) => `${main}${suffix}`)];
}
