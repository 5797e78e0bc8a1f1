import type Database from 'better-sqlite3';

export type TextEncoding = 'UTF-8' | 'UTF-16le' | 'UTF-16be';

/** What a database says of itself outside its schema. */
export interface DatabasePragmas {
  readonly pageBytes: number;
  readonly encoding: TextEncoding;
  /** 0 none, 1 full, 2 incremental. */
  readonly autoVacuum: number;
  readonly userVersion: number;
  readonly applicationId: number;
}

export function readPragmas(database: Database.Database): DatabasePragmas {
  const number = (name: string): number => Number(database.pragma(name, { simple: true }));
  return {
    pageBytes: number('page_size'),
    encoding: database.pragma('encoding', { simple: true }) as TextEncoding,
    autoVacuum: number('auto_vacuum'),
    userVersion: number('user_version'),
    applicationId: number('application_id'),
  };
}

export { readWithoutTrust } from '../../sqlite/without-trust.ts';
