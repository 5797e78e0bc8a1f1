import { type Options, withDefault } from '../option.ts';
import { byteCount } from '../option-values.ts';

const rate = (help: string) =>
  withDefault(byteCount({ min: 0, max: 2 ** 50 }), 0, {
    type: 'bytes',
    absent: 'as fast as it goes',
    help,
  });

export const bandwidthOptions = {
  readBytesPerSecond: rate(
    'At most this much of the repository is read per second; `0`: no bound.',
  ),
  writeBytesPerSecond: rate('At most this much is written to it per second; `0`: no bound.'),
} satisfies Options;
