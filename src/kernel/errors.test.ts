import { expect, it } from 'vitest';
import { cannot, diskFailure, toErrorDocument } from './errors.ts';

const failed = (code: string): Error => Object.assign(new Error(`${code}: no`), { code });

it('F-D9: a full disk is told as such, whoever met it: the system, a quota or SQLite', () => {
  for (const code of ['ENOSPC', 'EDQUOT', 'SQLITE_FULL']) {
    expect(diskFailure(failed(code))).toBe('NO_SPACE');
    expect(toErrorDocument(failed(code))).toMatchObject({ code: 'NO_SPACE', retryable: true });
  }
});

it('a disk that fails is an IO_ERROR with a hint, in the words of the system and in those of SQLite', () => {
  const codes = [
    'EIO',
    'EROFS',
    'EACCES',
    'EMFILE',
    'SQLITE_IOERR_FSYNC',
    'SQLITE_READONLY_DBMOVED',
  ];
  for (const code of [...codes, 'SQLITE_CANTOPEN']) {
    expect(toErrorDocument(failed(code)), code).toMatchObject({
      code: 'IO_ERROR',
      retryable: false,
      hint: expect.any(String),
      details: { system: code },
    });
  }
});

it('what is no failure of a disk stays what it is', () => {
  expect(toErrorDocument(failed('SQLITE_CONSTRAINT'))).toMatchObject({ code: 'INTERNAL' });
  expect(diskFailure(failed('SQLITE_BUSY'))).toBeNull();
  expect(diskFailure(new Error('no'))).toBeNull();
  const own = cannot('BUSY', 'open', 'x', 'busy', { cause: failed('EIO') });
  expect(toErrorDocument(own)).toMatchObject({ code: 'BUSY' });
});
