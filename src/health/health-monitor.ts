import type { LiveSettings } from '../config/live-settings.ts';
import { type Clock, isoTime } from '../kernel/clock.ts';
import type { Service } from '../kernel/service.ts';
import type {
  BootPhase,
  MethodResult,
  ScheduleState,
  SourceFacts,
  StatusWarning,
} from '../protocol/method-map.ts';
import { EventLoopMonitor } from './event-loop-monitor.ts';
import { HostFiguresReader } from './host-figures.ts';
import { type Probe, ProbeRunner } from './probes.ts';
import { type SourceHealth, sourceHealth } from './source-health.ts';

export interface HealthOptions {
  readonly live: LiveSettings;
  readonly clock: Clock;
  /** Monotonic, when the daemon started. */
  readonly startedMonotonicMs: number;
  /** `stateProbe` and `repositoryProbe`. */
  readonly probes: readonly Probe[];
  boot(): { readonly ready: boolean; readonly phase: BootPhase };
  sourceFacts(sourceId: string): SourceFacts;
  schedules(): readonly ScheduleState[];
  /** Beyond those of the sources. */
  warnings(): readonly StatusWarning[];
}

/** Less room than this on a file system of ours is worth a warning. */
const SPACE_SHARE_MIN = 0.05;

/** The three questions that supervisors and people ask: does it live, can it work, is all well. */
export class HealthMonitor implements Service {
  readonly name = 'health';
  readonly #options: HealthOptions;
  readonly #loop: EventLoopMonitor;
  readonly #probes: ProbeRunner;
  readonly #host: HostFiguresReader;

  constructor(options: HealthOptions) {
    const { live, clock, probes } = options;
    this.#options = options;
    this.#loop = new EventLoopMonitor(clock);
    this.#probes = new ProbeRunner(probes, clock);
    this.#host = new HostFiguresReader(
      { state: live.current.stateDirectory, repository: live.current.repositoryDirectory },
      clock,
    );
  }

  start(): Promise<void> {
    return this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** Nothing but the event loop: a full disk must not make a supervisor restart the daemon for ever. */
  live(): MethodResult<'health.live'> {
    const { clock, startedMonotonicMs } = this.#options;
    const uptimeMs = Math.round(clock.monotonicMs() - startedMonotonicMs);
    return { ...this.#loop.read(), uptimeMs };
  }

  async ready(): Promise<MethodResult<'health.ready'>> {
    const { ready, phase } = this.#options.boot();
    const probed = await this.#probes.run();
    const message = ready ? null : `the daemon is at "${phase}"`;
    const checks = [{ name: 'boot', ok: ready, message, durationMs: 0 }, ...probed];
    return { ready: checks.every(({ ok }) => ok), bootPhase: phase, checks };
  }

  async report(): Promise<MethodResult<'health.report'>> {
    const { clock } = this.#options;
    const [ready, host] = await Promise.all([this.ready(), this.#host.read()]);
    const live = this.live();
    const sources = this.#sources();
    const warnings = [...this.#options.warnings(), ...spaceWarnings(host)];
    const critical =
      !live.live || !ready.ready || sources.some(({ status }) => status === 'critical');
    const warned = warnings.length > 0 || sources.some(({ status }) => status !== 'ok');
    return {
      status: critical ? 'critical' : warned ? 'warning' : 'ok',
      at: isoTime(clock.nowMs()),
      live,
      ready,
      sources,
      warnings,
      host,
    };
  }

  #sources(): SourceHealth[] {
    const { live, clock } = this.#options;
    const schedules = this.#options.schedules();
    return live.current.sources.map((source) => {
      const own = schedules.filter(({ sourceId }) => sourceId === source.id);
      const facts = this.#options.sourceFacts(source.id);
      return sourceHealth(source, facts, own, clock.nowMs());
    });
  }
}

function spaceWarnings(host: MethodResult<'health.report'>['host']): StatusWarning[] {
  return (host?.fileSystems ?? [])
    .filter(({ bytesTotal, bytesAvailable }) => bytesAvailable < bytesTotal * SPACE_SHARE_MIN)
    .map(({ mount, uses, bytesAvailable }) => ({
      code: 'LOW_SPACE',
      message: `${bytesAvailable} bytes are left on ${mount}, which holds the ${uses.join(' and the ')}`,
      sourceId: null,
    }));
}
