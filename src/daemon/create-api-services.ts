import { createApi } from '../api/api.ts';
import type { ApiContext } from '../api/context.ts';
import { HealthMonitor } from '../health/health-monitor.ts';
import { repositoryProbe, stateProbe } from '../health/probes.ts';
import type { Service } from '../kernel/service.ts';
import { RpcServer } from '../rpc/server.ts';
import type { StateDatabase } from '../state/state-database.ts';

/** What answers clients, in the order in which to start it: health, then the socket. */
export function createApiServices(
  context: Omit<ApiContext, 'health'>,
  state: StateDatabase,
): readonly Service[] {
  const { settings, clock, logger, startedMonotonicMs, boot, sourceFacts, schedules, warnings } =
    context;
  const health = new HealthMonitor({
    settings,
    clock,
    startedMonotonicMs,
    probes: [stateProbe(state, clock), repositoryProbe(settings.repositoryDirectory)],
    boot,
    sourceFacts,
    schedules,
    warnings,
  });
  const { socketPath, socketGroup } = settings;
  const api = createApi({ ...context, health });
  return [health, new RpcServer({ ...api, socketPath, socketGroup, clock, logger })];
}
