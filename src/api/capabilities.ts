import { cannot } from '../kernel/errors.ts';
import type { MethodName } from '../protocol/method-map.ts';
import { isReading } from './audit-trail.ts';
import type { ApiContext } from './context.ts';
import type { Session } from './handler.ts';

/**
 * What members of `socketGroup` may ask for besides reading. Everything else writes to files that are not theirs,
 * removes what protects somebody, or has commands run as the daemon's user: that is for its owner and root.
 */
const FOR_MEMBERS: ReadonlySet<MethodName> = new Set<MethodName>([
  'alert.ack',
  'drill.run',
  'job.cancel',
  'repository.check',
  'snapshot.create',
  'snapshot.pin',
  'snapshot.tag',
  'snapshot.verify',
]);

const ROOT_UID = 0;

/** @throws CAPABILITY_REQUIRED where the client's user may not call this method */
export function requireCapability(
  method: MethodName,
  { peer }: Session,
  { settings }: Pick<ApiContext, 'settings'>,
): void {
  if (isReading(method) || FOR_MEMBERS.has(method) || isOwner(peer.credentials, settings)) return;
  throw cannot(
    'CAPABILITY_REQUIRED',
    'call',
    method,
    'it is for the owner of the daemon and root',
    {
      hint: 'Ask as the user that the daemon runs as.',
    },
  );
}

function isOwner(
  credentials: Session['peer']['credentials'],
  { socketGroup }: ApiContext['settings'],
): boolean {
  // Where the system does not say who it is, the socket's mode has: without a group only the owner gets in.
  if (credentials === null) return socketGroup === null;
  return credentials.uid === ROOT_UID || credentials.uid === process.geteuid?.();
}
