import type Database from 'better-sqlite3';

/**
 * Makes a connection fit to read a file that nobody vouches for: functions and virtual tables that are not harmless
 * cannot be used from its schema, and cells that overlap are damage instead of rows.
 */
export function readWithoutTrust(database: Database.Database): void {
  database.pragma('trusted_schema = OFF');
  database.pragma('cell_size_check = ON');
}
