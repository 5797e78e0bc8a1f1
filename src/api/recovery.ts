import { resolve } from 'node:path';
import { realPathOf } from '../config/own-places.ts';
import type { Settings } from '../config/settings.ts';
import {
  listQuarantine,
  purgeQuarantine,
  type QuarantineRecord,
  readQuarantine,
  restoreQuarantined,
} from '../files/quarantine/quarantine.ts';
import { isInside } from '../files/safe-path.ts';
import { quietActivity } from '../kernel/activity.ts';
import { cannot } from '../kernel/errors.ts';
import type { QuarantineItem } from '../protocol/method-map.ts';
import { listReports, readReport } from '../recovery/report-store.ts';
import { tidyQuarantine } from '../recovery/tidy-quarantine.ts';
import type { HandlersOf } from './handler.ts';
import { pageByTime, withinBytes } from './pages.ts';
import { findSource } from './source-reference.ts';
import { submitJob } from './submit-job.ts';

/** Of one quarantine record: a restore of a whole tree may have replaced very many files. */
const ITEMS_BYTES_MAX = 64 * 1024;

export const recoveryHandlers: HandlersOf<'recovery'> = {
  'recovery.run': ({ sourceId: reference, idempotencyKey, ...params }, context) => {
    const sourceId =
      reference === undefined ? undefined : findSource(context.settings, reference).id;
    return submitJob(context, {
      kind: 'recover',
      sourceId: sourceId ?? null,
      params: { sourceId, ...params },
      // A check too: it must not look at a database while a restore swaps it.
      mutating: true,
      idempotencyKey,
    });
  },
  'recovery.reports': async (params, { settings }) => {
    const filter = sourceFilter(settings, params.sourceId);
    const reports = await listReports(settings.stateDirectory, filter);
    return pageByTime(reports, params, ['recovery.reports', filter], byId, (report) => report);
  },
  'recovery.get': ({ id }, { settings }) => readReport(settings.stateDirectory, id),
  'recovery.quarantineList': async (params, { settings }) => {
    const filter = sourceFilter(settings, params.sourceId);
    const records = (await listQuarantine(settings.stateDirectory)).filter(
      ({ sourceId }) => filter.sourceId === undefined || sourceId === filter.sourceId,
    );
    const scope = ['recovery.quarantineList', filter];
    return pageByTime(records, params, scope, byId, quarantineDocument);
  },
  'recovery.quarantineGet': async ({ id }, { settings }) =>
    quarantineDocument(await readQuarantine(settings.stateDirectory, id)),
  'recovery.quarantineRestore': async ({ id, directory }, { settings }) => {
    await refuseProtectedPlace(settings, directory);
    const files = await restoreQuarantined(settings.stateDirectory, id, directory, quietActivity());
    return { id, directory, files };
  },
  'recovery.quarantinePurge': async ({ id, olderThanMs, policy }, { settings, clock }) => {
    const { stateDirectory, quarantine } = settings;
    const purged =
      policy === true
        ? await tidyQuarantine(stateDirectory, quarantine, clock)
        : await purgeQuarantine(stateDirectory, id ?? { olderThanMs: olderThanMs! }, clock);
    return { purged };
  },
};

const quarantineDocument = (record: QuarantineRecord): QuarantineItem => ({
  ...record,
  itemCount: record.items.length,
  items: withinBytes(record.items, ITEMS_BYTES_MAX),
});

const byId = ({ id, at }: { id: string; at: string }): { id: string; at: string } => ({ id, at });

function sourceFilter(settings: Settings, reference: string | undefined): { sourceId?: string } {
  return reference === undefined ? {} : { sourceId: findSource(settings, reference).id };
}

/** @throws PATH_UNSAFE: a database of old, put beside the live ones, would be taken for one of them. */
async function refuseProtectedPlace(settings: Settings, directory: string): Promise<void> {
  const roots = settings.sources.flatMap(({ roots: each }) => each.map(({ path }) => path));
  const own = [settings.repositoryDirectory, settings.stateDirectory];
  const place = await realPathOf(resolve(directory));
  const holder = [...roots, ...own].find((protectedPath) => isInside(place, protectedPath));
  if (holder === undefined) return;
  throw cannot('PATH_UNSAFE', 'bring back into', directory, `it lies in ${holder}`, {
    hint: 'Choose a directory outside every source and outside the repository.',
  });
}
