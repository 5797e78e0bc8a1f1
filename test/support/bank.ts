import Database from 'better-sqlite3';

/** The invariant that bank-writer.mjs keeps in every commit. */
export const BANK_TOTAL = 100 * 1000;

export interface BankState {
  readonly integrity: string;
  readonly total: number;
  readonly transfers: number;
}

/** Opens a restored database as an application would and reads what must hold. */
export function readBank(path: string): BankState {
  const database = new Database(path, { fileMustExist: true });
  try {
    return {
      integrity: String(database.pragma('integrity_check', { simple: true })),
      total: database.prepare('SELECT sum(balance) FROM accounts').pluck().get() as number,
      transfers: database.prepare('SELECT count(*) FROM transfers').pluck().get() as number,
    };
  } finally {
    database.close();
  }
}
