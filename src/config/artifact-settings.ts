/** What the rest of the program may know of artifacts' settings: see options/artifact-options.ts. */

export type ArtifactVersion = number | string;
export type CompatibilityRule = 'equal' | 'same-major' | 'min';

/** One of the two. */
export interface VerifyKeySettings {
  readonly hmacSecret: string | null;
  /** PEM. */
  readonly publicKey: string | null;
}

export interface ArtifactsSettings {
  readonly store: {
    readonly type: string;
    /** Null: `artifacts` in the state directory. */
    readonly path: string | null;
  };
  readonly keyPrefix: string;
  /** At most one of the two. */
  readonly signWith: {
    readonly hmacSecret: string | null;
    readonly privateKeyPath: string | null;
  };
  readonly verifyWith: readonly VerifyKeySettings[];
}

/** Of one database of a source. */
export interface ArtifactSettings {
  /** Logical path. */
  readonly database: string;
  readonly modelVersion: ArtifactVersion | null;
  readonly modelVersionMin: ArtifactVersion | null;
  readonly modelRule: CompatibilityRule;
  readonly modelVersionQuery: string | null;
  readonly schemaVersion: ArtifactVersion | null;
  readonly schemaVersionMin: ArtifactVersion | null;
  readonly schemaRule: CompatibilityRule;
  readonly schemaVersionQuery: string | null;
  readonly migrationVersionQuery: string | null;
  readonly cursorQuery: string | null;
  readonly fresh: 'no-file' | 'no-tables' | 'no-rows';
  readonly requiredTables: readonly string[];
  readonly minRows: Readonly<Record<string, number>>;
  /** Null: none. */
  readonly alias: string | null;
  readonly payloadFormat: 'sqlite-file' | 'sqldump' | 'jsonl-tables';
  /** At most one of the two. */
  readonly bootstrapRef: string | null;
  readonly bootstrapPath: string | null;
}
