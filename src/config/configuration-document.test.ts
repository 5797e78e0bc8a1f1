import { describe, expect, it } from 'vitest';
import { parseConfig } from './config-file.ts';
import { configurationDocument } from './configuration-document.ts';
import { ProblemList, validateConfiguration } from './validate-configuration.ts';

describe('configurationDocument()', () => {
  it('docs/configuration.md says what the option records say', async () => {
    await expect(configurationDocument()).toMatchFileSnapshot('../../docs/configuration.md');
  });

  it('the example in it is a valid configuration', () => {
    const example = /```yaml\n([\s\S]*?)```/.exec(configurationDocument())![1]!;
    const document = parseConfig(example, 'example');
    const list = new ProblemList(document.locate, new Map());
    expect(validateConfiguration(document.value, list)).not.toBeNull();
    expect(list.problems).toEqual([]);
  });
});
