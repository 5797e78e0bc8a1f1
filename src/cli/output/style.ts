import { styleText } from 'node:util';

export type Tone = 'good' | 'warning' | 'bad' | 'faint' | 'strong';

const STYLES = {
  good: 'green',
  warning: 'yellow',
  bad: 'red',
  faint: 'gray',
  strong: 'bold',
} as const;

/** Colours `text` where colours are wanted. */
export function styled(text: string, tone: Tone, color: boolean): string {
  return color ? styleText(STYLES[tone], text, { validateStream: false }) : text;
}
