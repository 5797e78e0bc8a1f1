import { shortId } from '../../kernel/ids.ts';
import type { DocumentDamage } from './repair-documents.ts';
import type { LostPart, SnapshotLosses } from './snapshot-losses.ts';

export interface RepairReport {
  /** Nothing was changed: all that follows is what would be. */
  readonly dryRun: boolean;
  /** `holdfast.json` was damaged, and is what the packs say. */
  readonly descriptorRebuilt: boolean;
  /** Nothing is lost to any snapshot. */
  readonly isWhole: boolean;
  readonly packsRead: number;
  readonly readBytes: number;
  readonly packsDamaged: number;
  /** The first thousand. */
  readonly packs: readonly {
    readonly name: string;
    readonly records: number;
    readonly recordsSaved: number;
    readonly recordsLost: number;
  }[];
  readonly recordsSaved: number;
  readonly recordsLost: number;
  /** What snapshots need and no sound record holds. The next backup stores of it what the live data still has. */
  readonly objectsMissing: number;
  /** Snapshots whose manifest hashes to its name again. */
  readonly manifestsMended: readonly string[];
  /** Snapshots that are gone with their manifest, which lies in `set-aside/`. */
  readonly manifestsLost: readonly string[];
  /** Snapshots whose notes could not be read: they have none now, and are pinned. */
  readonly notesReplaced: readonly string[];
  readonly keySlotsSetAside: readonly string[];
  readonly snapshotsWhole: number;
  readonly snapshotsRepaired: number;
  readonly snapshotsLosing: number;
  readonly snapshots: readonly RepairedSnapshot[];
}

export interface RepairedSnapshot {
  readonly snapshotId: string;
  readonly shortId: string;
  /** Nothing of it was damaged; all of it was saved; some of it is lost. */
  readonly state: 'whole' | 'repaired' | 'lost';
  readonly filesLosing: number;
  readonly bytesLost: number;
  /** The first LOST_PARTS_MAX. */
  readonly lost: readonly LostPart[];
}

const LOST_PARTS_MAX = 100;

export function reportedSnapshot(
  id: string,
  { parts, isTouched }: SnapshotLosses,
  { mendable, notes }: DocumentDamage,
): RepairedSnapshot {
  const wasDamaged = isTouched || mendable.has(id) || notes.includes(id);
  return {
    snapshotId: id,
    shortId: shortId(id),
    state: parts.length > 0 ? 'lost' : wasDamaged ? 'repaired' : 'whole',
    filesLosing: parts.length,
    bytesLost: parts.reduce((sum, { bytes }) => sum + bytes, 0),
    lost: parts.slice(0, LOST_PARTS_MAX),
  };
}
