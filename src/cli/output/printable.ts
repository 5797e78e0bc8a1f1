/**
 * Names of files and words from elsewhere, made safe to show: control characters, which could rewrite the screen,
 * and bidirectional overrides, which could disguise a name, appear as escapes.
 */
export function printable(text: string): string {
  return text.replaceAll(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the point
    /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    escaped,
  );
}

/**
 * Whole output, as the last thing before the terminal: what control characters are left, except line breaks, tabs and
 * our own colours, appear as escapes; so does what JSON leaves as it is. Nothing should be left: this is the net.
 */
export function withoutControls(text: string): string {
  return text.replaceAll(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the point
    /[\u0000-\u0008\u000b-\u001a\u001c-\u001f\u007f-\u009f]|\u001b(?!\[[0-9;]*m)/g,
    escaped,
  );
}

const escaped = (character: string): string =>
  `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
