import {
  documentField,
  type LooseDocument,
  listField,
  numberField,
  textField,
} from './document-fields.ts';
import { formatBytes } from './format-bytes.ts';
import { printable } from './printable.ts';

/** What became of artifacts, in words. */

function describe(result: LooseDocument): string {
  const manifest = documentField(result, 'manifest') ?? {};
  const versions = (['modelVersion', 'schemaVersion', 'cursor'] as const).flatMap((name) => {
    const value = manifest[name];
    return value === null || value === undefined ? [] : [`${name} ${String(value)}`];
  });
  const signed = documentField(manifest, 'signature') !== null;
  const parts = [
    textField(manifest, 'payloadFormat') ?? '',
    formatBytes(numberField(manifest, 'bytes') ?? 0),
    ...versions,
    signed ? 'signed' : 'not signed',
  ];
  return printable(`${textField(manifest, 'database') ?? ''}: ${parts.join(', ')}`);
}

export function renderArtifact(result: LooseDocument): string {
  const described = describe(result);
  const to = textField(result, 'to');
  if (to !== null) return `${described}\n${printable(to)}`;
  const path = textField(result, 'path');
  if (path === null) return `The artifact verifies: ${described}`;
  const before = textField(result, 'preRestoreSnapshotId');
  const kept = before === null ? '' : `; what it replaced is snapshot ${before.slice(0, 8)}`;
  return `${printable(path)} is made of ${described}${kept}`;
}

/** The last line is the bare reference. */
export function renderPublish(result: LooseDocument): string {
  return listField(result, 'artifacts')
    .flatMap((each) => {
      const alias = textField(each, 'alias');
      const state = textField(each, 'stored') === 'present' ? 'was there already' : 'published';
      const named = alias === null ? '' : `, as ${alias}`;
      return [`${describe(each)} (${state}${named})`, printable(textField(each, 'ref') ?? '')];
    })
    .join('\n');
}

export function renderBootstrap(result: LooseDocument): string {
  const lines = listField(result, 'databases').map((each) => {
    const verb = textField(each, 'action') === 'made' ? 'made from' : 'left as it is:';
    return printable(`${textField(each, 'database')} is ${verb} ${textField(each, 'reason')}`);
  });
  return lines.length === 0 ? 'Nothing is bootstrapped.' : lines.join('\n');
}
