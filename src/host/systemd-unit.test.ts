import { describe, expect, it } from 'vitest';
import { parseUnit, renderUnit, unitArgument } from './systemd-unit.ts';

describe('renderUnit()', () => {
  it('prints comments above sections and directives, and parseUnit() reads the directives back', () => {
    const text = renderUnit({
      path: 'x.service',
      comment: 'First\nsecond',
      sections: [
        {
          name: 'Service',
          directives: [
            { key: 'ExecStart', value: '/bin/true', comment: 'Why' },
            { key: 'ReadWritePaths', value: '/a' },
            { key: 'ReadWritePaths', value: '/b' },
          ],
        },
      ],
    });
    expect(text).toBe(
      '# First\n# second\n\n[Service]\n# Why\nExecStart=/bin/true\nReadWritePaths=/a\nReadWritePaths=/b\n',
    );
    expect([...parseUnit(text)]).toEqual([
      ['Service.ExecStart', ['/bin/true']],
      ['Service.ReadWritePaths', ['/a', '/b']],
    ]);
  });
});

describe('unitArgument()', () => {
  it('keeps systemd from expanding or splitting an argument', () => {
    expect(unitArgument('/plain/path')).toBe('/plain/path');
    expect(unitArgument('/my data')).toBe('"/my data"');
    expect(unitArgument('100%$x')).toBe('100%%$$x');
    expect(unitArgument('a"b\\c')).toBe('"a\\"b\\\\c"');
  });
});
