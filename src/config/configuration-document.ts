import type { Option, Options } from './option.ts';
import { optionGroups } from './options.ts';

/** docs/configuration.md, from the option records. */

const INTRODUCTION = `# Configuration

<!-- Generated from src/config/options.ts: run \`npx vitest run --project unit src/config -u\` after a change there. -->

Holdfast needs no configuration: \`holdfast daemon --data DIR\` protects DIR with the defaults below. Everything else is one YAML file, the first of:

1. the file named by \`--config\`,
2. the file named by \`HOLDFAST_CONFIG\`,
3. \`/etc/holdfast/holdfast.yaml\` for root, else \`$XDG_CONFIG_HOME/holdfast/holdfast.yaml\`, else \`~/.config/holdfast/holdfast.yaml\`, if it exists.

A flag wins over an environment variable, a variable over the file, the file over the default. Flags and variables may be relative to the working directory; paths in the file are absolute. Symbolic links in paths are resolved once, at the start.

The file is checked as a whole before anything is done: unknown options, duplicate keys and values out of bounds are refused, all of them at once, with their lines. It is at most 1 MiB of YAML 1.2, without tags.

- **Durations** (names in \`Ms\`) are milliseconds, or text with a unit: \`500ms\`, \`5s\`, \`2m\`, \`6h\`, \`7d\`.
- **Sizes** (names in \`Bytes\`) are bytes, or text with a unit: \`512MiB\`, \`2GB\`.
- **Identifiers** are 1 to 64 of \`a-z\`, \`0-9\`, dot, underscore and hyphen, beginning with a letter or digit.

Settings and sources can also be changed while the daemon runs, with \`holdfast settings\` and \`holdfast source\`: such changes lie over the file, which is never rewritten, and hold until they are taken back. \`holdfast settings get\` says where each value comes from.

The daemon keeps the settings in force in \`settings.json\` in its state directory. Commands that run while it is down use these, unless \`--config\`, \`--data\` or \`HOLDFAST_CONFIG\` says otherwise (what was changed lies over a file that is named, too), so that they mean the same repository and the same sources. Clients find the daemon's socket there too.

## Example

\`\`\`yaml
repositoryDirectory: /mnt/backup/holdfast
sources:
  - name: notes
    roots:
      - /srv/notes/data
      - { class: config, path: /etc/notes }
      - { class: extra, name: uploads, path: /srv/notes/uploads, required: false }
    exclude:
      - data/cache/**
    watch:
      quietMs: 10s
    schedules:
      - { id: hourly, trigger: { type: interval, intervalMs: 1h } }
      - { id: weekly, kind: verify, trigger: { type: cron, expression: "0 4 * * 0", timeZone: Europe/Paris } }
\`\`\`

Repository, state directory and socket are never captured, even where they are inside a root. A root inside the repository or the state directory is refused. Roots may overlap.
`;

/** The Markdown text of the page. */
export function configurationDocument(): string {
  const sections = optionGroups.map(({ at, options }) => `${heading(at)}\n\n${table(options)}\n`);
  return `${INTRODUCTION}\n${sections.join('\n')}`;
}

function heading(at: string): string {
  return at === '' ? '## Options' : `## \`${at}\``;
}

function table(options: Options): string {
  const rows = Object.entries(options).map(([key, option]) => row(key, option));
  return ['| option | type | default | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

function row(key: string, option: Option): string {
  const other = [option.flag, option.variable].filter((name) => name !== null);
  const also = other.length === 0 ? '' : ` Also ${other.map((name) => `\`${name}\``).join(', ')}.`;
  const cells = [`\`${key}\``, option.type, option.absent, `${option.help}${also}`];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
