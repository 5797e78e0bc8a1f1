import type { Job, JobKind } from './job.ts';

/** Higher runs first; equal ones in the order of submission. What an application waits for comes first. */
export function defaultPriority(kind: JobKind, actor: Job['actor']): number {
  switch (kind) {
    case 'reconcile':
      return 100;
    case 'bootstrap':
    case 'recover':
      return 90;
    case 'restore':
    case 'stage':
    case 'apply':
    case 'migrate':
    case 'import':
      return 80;
    case 'rebuild':
      return 70;
    case 'backup':
      return actor === 'user' || actor === 'boot' ? 60 : 40;
    case 'annotate':
    case 'init':
    case 'key':
    case 'accept':
    case 'maintain':
    case 'delete':
    case 'hook':
    case 'plugin':
    case 'coverage':
    case 'discover':
    case 'diff':
    case 'artifact':
    case 'export':
      return 30;
    case 'reseal':
    case 'copy':
    case 'convert':
    case 'verify':
    case 'drill':
    case 'publish':
      return 20;
    case 'check':
      return 10;
    case 'forget':
      return 8;
    case 'prune':
      return 6;
  }
}
