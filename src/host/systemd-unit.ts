/** A systemd unit file as data (systemd.unit(5)), and its text. */

export interface UnitDirective {
  readonly key: string;
  readonly value: string;
  /** Why it is there; printed above it. */
  readonly comment?: string;
}

export interface UnitSection {
  readonly name: 'Unit' | 'Service' | 'Install';
  readonly directives: readonly UnitDirective[];
}

export interface UnitFile {
  /** Relative to the folder of units, e.g. `app.service.d/holdfast.conf`. */
  readonly path: string;
  readonly comment: string;
  readonly sections: readonly UnitSection[];
}

const commentLines = (text: string): string[] => text.split('\n').map((line) => `# ${line}`);

export function renderUnit(unit: UnitFile): string {
  const lines = commentLines(unit.comment);
  for (const section of unit.sections) {
    lines.push('', `[${section.name}]`);
    for (const { key, value, comment } of section.directives) {
      if (comment !== undefined) lines.push(...commentLines(comment));
      lines.push(`${key}=${value}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** `Section.Key` → values in order, comments dropped: what two unit files are compared by. */
export function parseUnit(text: string): Map<string, string[]> {
  const directives = new Map<string, string[]>();
  let section = '';
  for (const line of text.replaceAll(/\\\n/g, ' ').split('\n')) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#') || trimmed.startsWith(';')) continue;
    const header = /^\[(.+)\]$/.exec(trimmed);
    if (header !== null) {
      section = header[1]!;
      continue;
    }
    const equals = trimmed.indexOf('=');
    if (equals <= 0) continue;
    const name = `${section}.${trimmed.slice(0, equals).trim()}`;
    const values = directives.get(name) ?? [];
    directives.set(name, [...values, trimmed.slice(equals + 1).trim()]);
  }
  return directives;
}

/** An argument of ExecStart= (systemd.service(5), "Command lines"): quoted where needed, `%` and `$` taken literally. */
export function unitArgument(argument: string): string {
  const literal = argument.replaceAll('%', '%%').replaceAll('$', '$$$$');
  if (/^[\w@%$+=:,./-]+$/.test(literal)) return literal;
  return `"${literal.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
