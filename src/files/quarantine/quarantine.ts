/** The door to the quarantine: where the originals of whatever was replaced are kept. */

export { expiredQuarantine, type QuarantineBounds } from './expired-quarantine.ts';
export {
  type FamilyCopyRequest,
  quarantineFamilyByCopy,
  removePartialQuarantine,
} from './quarantine-copy.ts';
export {
  listQuarantine,
  purgeQuarantine,
  type QuarantineItem,
  type QuarantineMember,
  type QuarantineRecord,
  quarantinePath,
  readQuarantine,
  restoreQuarantined,
  writeQuarantineRecord,
} from './quarantine-records.ts';
