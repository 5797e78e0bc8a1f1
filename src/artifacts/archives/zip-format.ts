/** Numbers of the ZIP format (PKWARE's APPNOTE), and its times. */
export const LOCAL_SIGNATURE = 0x04034b50;
export const CENTRAL_SIGNATURE = 0x02014b50;
export const DESCRIPTOR_SIGNATURE = 0x08074b50;
export const END_SIGNATURE = 0x06054b50;
export const END64_SIGNATURE = 0x06064b50;
export const LOCATOR64_SIGNATURE = 0x07064b50;

export const LOCAL_BYTES = 30;
export const CENTRAL_BYTES = 46;
export const END_BYTES = 22;
export const END64_BYTES = 56;
export const LOCATOR64_BYTES = 20;

/** What a field of 32 or 16 bits holds when the value stands in a zip64 record instead. */
export const SATURATED_32 = 0xffffffff;
export const SATURATED_16 = 0xffff;

export const STORED = 0;
export const DEFLATED = 8;

export const FLAG_ENCRYPTED = 0x0001;
export const FLAG_DESCRIPTOR = 0x0008;
export const FLAG_PATCHED = 0x0020;
export const FLAG_STRONG_ENCRYPTION = 0x0040;
export const FLAG_UTF8 = 0x0800;
export const FLAG_MASKED = 0x2000;

export const EXTRA_ZIP64 = 0x0001;
export const EXTRA_NTFS = 0x000a;
export const EXTRA_TIMESTAMP = 0x5455;
export const EXTRA_UNICODE_PATH = 0x7075;

export const HOST_UNIX = 3;
export const HOST_DARWIN = 19;

/** The type bits of a Unix mode. */
export const MODE_TYPE = 0o170000;
export const MODE_DIRECTORY = 0o040000;
export const MODE_FILE = 0o100000;
export const MODE_SYMLINK = 0o120000;

/** 1601-01-01, from where NTFS counts steps of 100 ns. */
const NTFS_EPOCH_MS = 11_644_473_600_000;
const NTFS_STEPS_PER_MS = 10_000n;

/** A date and a time of two second steps, from 1980 to 2107, here always in UTC. */
export function dosTime(ms: number): { readonly date: number; readonly time: number } {
  const at = new Date(Math.min(Math.max(ms, Date.UTC(1980, 0, 1)), Date.UTC(2107, 11, 31)));
  const date =
    ((at.getUTCFullYear() - 1980) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate();
  const time = (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1);
  return { date, time };
}

export function msOfDosTime(date: number, time: number): number {
  return Date.UTC(
    (date >> 9) + 1980,
    ((date >> 5) & 0xf) - 1,
    date & 0x1f,
    time >> 11,
    (time >> 5) & 0x3f,
    (time & 0x1f) * 2,
  );
}

/** null: before NTFS begins to count. */
export function ntfsTime(ms: number): bigint | null {
  const steps = BigInt(Math.round(ms * 1000)) * (NTFS_STEPS_PER_MS / 1000n);
  const time = steps + BigInt(NTFS_EPOCH_MS) * NTFS_STEPS_PER_MS;
  return time < 0n || time >= 1n << 63n ? null : time;
}

export function msOfNtfsTime(time: bigint): number {
  const micros = time / 10n - BigInt(NTFS_EPOCH_MS) * 1000n;
  return Number(micros) / 1000;
}
