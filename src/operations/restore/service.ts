import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandSettings, ServiceSettings, SourceSettings } from '../../config/settings.ts';
import { makeDirectory, removeDurably, writeFileDurably } from '../../files/durable.ts';
import { type CommandResult, runCommand } from '../../host/run-command.ts';
import { cannot, messageOf, systemCode } from '../../kernel/errors.ts';
import type { OperationContext } from '../operation.ts';

/**
 * The application around a restore in place. That it was stopped is written down first, in
 * <state>/stopped-services/<source id>.json, so that it is started again whatever becomes of this process.
 */

const marksHome = (stateDirectory: string): string => join(stateDirectory, 'stopped-services');

async function run(
  context: OperationContext,
  source: SourceSettings,
  { timeoutMs }: ServiceSettings,
  phase: 'stop' | 'start' | 'status' | 'afterRestore',
  command: CommandSettings,
): Promise<CommandResult> {
  const { activity, clock, jobId } = context;
  activity.progress({ phase: `${phase} ${source.name}` });
  return runCommand(command, {
    clock,
    timeoutMs,
    directory: '/',
    environment: {
      HOLDFAST_PHASE: phase,
      HOLDFAST_JOB_ID: jobId,
      HOLDFAST_SOURCE: source.name,
    },
    onLine: (_stream, line) => activity.log(`${phase}: ${line}`),
    // What starts the application again is never cut short.
    ...(phase === 'start' ? {} : { signal: activity.signal }),
  });
}

const passed = ({ exitCode, timedOut }: CommandResult): boolean => exitCode === 0 && !timedOut;

function failure(source: SourceSettings, verb: string, result: CommandResult): Error {
  const { exitCode, signal, timedOut, tail } = result;
  const how = timedOut
    ? 'its command did not end in time'
    : `its command ended with ${exitCode ?? signal}`;
  return cannot(timedOut ? 'TIMEOUT' : 'IO_ERROR', verb, source.name, how, {
    hint: 'Look at the end of its output, in the details.',
    details: { exitCode, signal, tail },
  });
}

/** An application that was stopped for a restore, or never had to be. */
export class StoppedService {
  readonly #context: OperationContext;
  readonly #source: SourceSettings;
  #down = false;

  private constructor(context: OperationContext, source: SourceSettings) {
    this.#context = context;
    this.#source = source;
  }

  /** Stops the application, if the source says how and it runs. @throws IO_ERROR, TIMEOUT when it cannot be stopped */
  static async stop(context: OperationContext, source: SourceSettings): Promise<StoppedService> {
    const stopped = new StoppedService(context, source);
    const { service } = source;
    if (service === null) return stopped;
    if (service.status !== null) {
      if (!passed(await run(context, source, service, 'status', service.status))) return stopped;
    }
    await stopped.#mark();
    stopped.#down = true;
    const result = await run(context, source, service, 'stop', service.stop);
    if (passed(result)) return stopped;
    await stopped.startAgain();
    throw failure(source, 'stop', result);
  }

  async #mark(): Promise<void> {
    const { settings, jobId } = this.#context;
    const home = marksHome(settings.stateDirectory);
    await makeDirectory(home);
    const mark = JSON.stringify({ sourceId: this.#source.id, jobId });
    await writeFileDurably(join(home, `${this.#source.id}.json`), mark);
  }

  /** What the source wants done between the swap and the start. @throws IO_ERROR, TIMEOUT */
  async afterRestore(): Promise<void> {
    const { service } = this.#source;
    if (service === null || service.afterRestore === null) return;
    const result = await run(
      this.#context,
      this.#source,
      service,
      'afterRestore',
      service.afterRestore,
    );
    if (!passed(result)) throw failure(this.#source, 'finish the restore of', result);
  }

  /** Starts it on what was restored. @throws IO_ERROR, TIMEOUT when it does not start; it is down again then */
  async start(): Promise<void> {
    const { service } = this.#source;
    if (service === null || !this.#down) return;
    const result = await run(this.#context, this.#source, service, 'start', service.start);
    if (!passed(result)) {
      await run(this.#context, this.#source, service, 'stop', service.stop);
      throw failure(this.#source, 'start', result);
    }
    await this.#up();
  }

  /** At the end, whatever became of the restore. What fails here is a warning: something else is reported already. */
  async startAgain(): Promise<void> {
    const { service } = this.#source;
    if (service === null || !this.#down) return;
    const result = await run(this.#context, this.#source, service, 'start', service.start);
    if (passed(result)) await this.#up();
    else
      this.#context.activity.warn(
        `"${this.#source.name}" could not be started again: ${result.tail}`,
      );
  }

  async #up(): Promise<void> {
    this.#down = false;
    await removeDurably(markPath(this.#context, this.#source.id));
  }
}

const markPath = ({ settings }: OperationContext, sourceId: string): string =>
  join(marksHome(settings.stateDirectory), `${sourceId}.json`);

/** Starts what a restore had stopped whose process ended before it could; with `jobId`, of that job alone. */
export async function startLeftServices(context: OperationContext, jobId?: string): Promise<void> {
  const { settings, activity } = context;
  const home = marksHome(settings.stateDirectory);
  const names = await readdir(home).catch((error: unknown): string[] => {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  });
  for (const source of settings.sources) {
    if (source.service === null || !names.includes(`${source.id}.json`)) continue;
    const mark = await readFile(markPath(context, source.id), 'utf8');
    if (jobId !== undefined && !mark.includes(JSON.stringify(jobId))) continue;
    try {
      const result = await run(context, source, source.service, 'start', source.service.start);
      if (!passed(result)) throw failure(source, 'start', result);
      await removeDurably(markPath(context, source.id));
      activity.warn(
        `"${source.name}" had been stopped for a restore that was cut short, and was started`,
      );
    } catch (error) {
      activity.warn(messageOf(error));
    }
  }
}
