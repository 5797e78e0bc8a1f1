import { commonArguments, type ServiceDescription } from './service-description.ts';

/** The launchd files of Holdfast (launchd.plist(5)): a property list and, since launchd orders nothing, a gate script. */

export type PlistValue =
  | string
  | number
  | boolean
  | readonly PlistValue[]
  | { readonly [key: string]: PlistValue };

/** The daemon's job as launchd.plist(5) names its keys. */
export function launchdJob(description: ServiceDescription): Record<string, PlistValue> {
  return {
    Label: description.label,
    ProgramArguments: [
      description.nodePath,
      description.programPath,
      'daemon',
      ...commonArguments(description),
    ],
    UserName: description.user,
    GroupName: description.group,
    RunAtLoad: true,
    KeepAlive: { SuccessfulExit: false },
    ThrottleInterval: 10,
    ExitTimeOut: description.stopSeconds,
    ProcessType: 'Background',
    LowPriorityIO: true,
    // A number is read as decimal: 63 is 077.
    Umask: 0o77,
    // launchd makes no folders for logs; the state directory has to exist anyway.
    StandardOutPath: `${description.stateDirectory}/daemon.log`,
    StandardErrorPath: `${description.stateDirectory}/daemon.log`,
  };
}

const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

function plistLines(value: PlistValue, indent: string): string[] {
  if (typeof value === 'string') return [`${indent}<string>${escapeXml(value)}</string>`];
  if (typeof value === 'boolean') return [`${indent}<${value}/>`];
  if (typeof value === 'number') {
    const element = Number.isInteger(value) ? 'integer' : 'real';
    return [`${indent}<${element}>${value}</${element}>`];
  }
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    const items = (value as readonly PlistValue[]).flatMap((item) => plistLines(item, inner));
    return [`${indent}<array>`, ...items, `${indent}</array>`];
  }
  const entries = Object.entries(value as Record<string, PlistValue>);
  const members = entries.flatMap(([key, member]) => [
    `${inner}<key>${escapeXml(key)}</key>`,
    ...plistLines(member, inner),
  ]);
  return [`${indent}<dict>`, ...members, `${indent}</dict>`];
}

export function renderPlist(value: Record<string, PlistValue>): string {
  return `${[
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    '<plist version="1.0">',
    ...plistLines(value, ''),
    '</plist>',
  ].join('\n')}\n`;
}

const shellWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** Runs the gate, then becomes the application: `holdfast-gate.sh PROGRAM [ARGUMENT…]` in its ProgramArguments. */
export function renderGateScript(description: ServiceDescription): string {
  const gate = [
    description.nodePath,
    description.programPath,
    'recover',
    '--if-needed',
    ...commonArguments(description),
  ].map(shellWord);
  return `${[
    '#!/bin/sh',
    '# Starts an application only on databases that are fit for it: launchd knows no order between jobs.',
    '# Use: ProgramArguments = [holdfast-gate.sh, /path/of/application, arguments...]',
    'set -eu',
    '',
    'if [ "$#" -eq 0 ]; then',
    '  echo "usage: holdfast-gate.sh PROGRAM [ARGUMENT...]" >&2',
    '  exit 2',
    'fi',
    '',
    `${gate.join(' ')} || {`,
    '  status=$?',
    '  echo "holdfast-gate: the databases are not fit (exit $status); $1 is not started" >&2',
    '  exit "$status"',
    '}',
    'exec "$@"',
  ].join('\n')}\n`;
}
