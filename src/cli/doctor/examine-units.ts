import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PACKAGED_SERVICE } from '../../host/service-description.ts';
import { renderServiceFiles } from '../../host/service-files.ts';
import { parseUnit } from '../../host/systemd-unit.ts';
import { systemCode } from '../../kernel/errors.ts';
import { type Finding, ok, warning } from './finding.ts';

/** Where systemd finds units of administrators and of packages (systemd.unit(5)), first match first. */
const UNIT_DIRECTORIES = [
  '/etc/systemd/system',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
];

/** What every installation fills in for itself. */
const OWN_DIRECTIVES: ReadonlySet<string> = new Set([
  'Unit.Description',
  'Unit.Before',
  'Unit.RequiresMountsFor',
  'Service.ExecStart',
  'Service.User',
  'Service.Group',
  'Service.ReadWritePaths',
  'Service.StateDirectory',
  'Service.StateDirectoryMode',
  'Service.RuntimeDirectory',
  'Service.RuntimeDirectoryMode',
  'Service.ProtectHome',
  'Service.CapabilityBoundingSet',
  'Service.Environment',
  'Install.RequiredBy',
  'Install.WantedBy',
]);

/** Directives of ours that an installed unit lacks or sets otherwise, its own choices left aside. */
export function unitDrift(installed: string, rendered: string): string[] {
  const actual = parseUnit(installed);
  return [...parseUnit(rendered)]
    .filter(([name]) => !OWN_DIRECTIVES.has(name))
    .filter(([name, values]) => (actual.get(name) ?? []).join('\n') !== values.join('\n'))
    .map(([name]) => name.split('.').at(-1)!);
}

/** The first two words of ExecStart= are files that must be there. */
function missingPrograms(installed: string): string[] {
  const [command = ''] = parseUnit(installed).get('Service.ExecStart') ?? [];
  const words = command
    .split(/\s+/)
    .slice(0, 2)
    .map((word) => word.replaceAll('"', ''));
  return words.filter((word) => word.startsWith('/') && !existsSync(word));
}

/** Compares installed units with what this version would print. */
export async function examineUnits(
  directories: readonly string[] = UNIT_DIRECTORIES,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { path, text } of renderServiceFiles('systemd', PACKAGED_SERVICE.systemd)) {
    if (path.includes('/')) continue;
    for (const directory of directories) {
      const installed = await readIfThere(join(directory, path));
      if (installed === null) continue;
      findings.push(...examineUnit(join(directory, path), installed, text));
      break;
    }
  }
  return findings.length === 0 ? [ok('units', 'no systemd units are installed')] : findings;
}

function examineUnit(path: string, installed: string, rendered: string): Finding[] {
  const hint = 'Compare it with holdfast service print systemd.';
  const missing = missingPrograms(installed);
  if (missing.length > 0) {
    return [warning('units', `${path} starts ${missing.join(' and ')}, which is missing`, hint)];
  }
  const drift = unitDrift(installed, rendered);
  return drift.length === 0
    ? [ok('units', `${path} is up to date`)]
    : [warning('units', `${path} differs in ${drift.join(', ')}`, hint)];
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'EACCES'].includes(systemCode(error) ?? '')) return null;
    throw error;
  }
}
