import { readFile } from 'node:fs/promises';
import { cannot } from '../kernel/errors.ts';

const GROUPS_FILE = '/etc/group';

/** The number of a group given by name or number. @throws CONFIG_INVALID */
export async function resolveGroupId(group: string, groupsFile = GROUPS_FILE): Promise<number> {
  if (/^\d{1,10}$/.test(group)) return Number(group);
  const text = await readFile(groupsFile, 'utf8').catch(() => '');
  for (const line of text.split('\n')) {
    const [name, , number] = line.split(':');
    if (name === group && number !== undefined && /^\d+$/.test(number)) return Number(number);
  }
  throw cannot('CONFIG_INVALID', 'use the socket group', group, `${groupsFile} has no such group`, {
    hint: 'Give the number of a group that is kept elsewhere.',
  });
}
