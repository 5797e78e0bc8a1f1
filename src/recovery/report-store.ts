import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory, removeDurably, writeFileDurably } from '../files/durable.ts';
import { cannot, systemCode } from '../kernel/errors.ts';
import { type RecoveryReport, recoveryReport } from './report.ts';

/** Recovery reports on disk, one file each. Ids sort by time, so that names alone give the order. */

export const REPORTS_KEPT_MAX = 500;

const FILE_NAME = /^([0-9a-f]{8}-[0-9a-f-]{27})\.json$/;

const directoryOf = (stateDirectory: string): string => join(stateDirectory, 'recovery');

/** Newest first. */
async function reportIds(stateDirectory: string): Promise<string[]> {
  const names = await readdir(directoryOf(stateDirectory)).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  });
  return names
    .flatMap((name) => FILE_NAME.exec(name)?.[1] ?? [])
    .sort()
    .reverse();
}

/** Keeps a report; beyond REPORTS_KEPT_MAX the oldest go. */
export async function writeReport(stateDirectory: string, report: RecoveryReport): Promise<void> {
  const directory = directoryOf(stateDirectory);
  await makeDirectory(directory);
  const text = `${JSON.stringify(recoveryReport.parse(report), null, 2)}\n`;
  await writeFileDurably(join(directory, `${report.id}.json`), text);
  for (const id of (await reportIds(stateDirectory)).slice(REPORTS_KEPT_MAX)) {
    await removeDurably(join(directory, `${id}.json`));
  }
}

/** @throws NOT_FOUND; IO_ERROR when the file is not a report */
export async function readReport(stateDirectory: string, id: string): Promise<RecoveryReport> {
  const unknown = (): Error =>
    cannot('NOT_FOUND', 'show recovery report', id, 'no report has this id');
  if (!FILE_NAME.test(`${id}.json`)) throw unknown();
  const path = join(directoryOf(stateDirectory), `${id}.json`);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw systemCode(error) === 'ENOENT' ? unknown() : error;
  }
  const report = parseReport(text);
  if (report !== null) return report;
  throw cannot('IO_ERROR', 'read recovery report', path, 'it is not a report', {
    hint: 'Remove the file; it serves no other purpose.',
  });
}

function parseReport(text: string): RecoveryReport | null {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return null;
  }
  return recoveryReport.safeParse(document).data ?? null;
}

/** Newest first. A file that is no report is passed over: it must not hide the others. */
export async function listReports(
  stateDirectory: string,
  options: { readonly limit?: number; readonly sourceId?: string } = {},
): Promise<RecoveryReport[]> {
  const limit = options.limit ?? REPORTS_KEPT_MAX;
  const reports: RecoveryReport[] = [];
  for (const id of await reportIds(stateDirectory)) {
    if (reports.length >= limit) break;
    const path = join(directoryOf(stateDirectory), `${id}.json`);
    const report = parseReport(await readFile(path, 'utf8'));
    if (report === null) continue;
    if (options.sourceId === undefined || report.sourceId === options.sourceId) {
      reports.push(report);
    }
  }
  return reports;
}
