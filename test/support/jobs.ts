import type { JobDocument, MethodParams } from '../../src/protocol/method-map.ts';
import type { RpcClient } from '../../src/rpc/client.ts';

type Result = Record<string, any>;

/** Waits until a job is finished, however it ends. */
export async function finished(client: RpcClient, id: string): Promise<JobDocument> {
  for (;;) {
    const answer = await client.call('job.wait', { id, timeoutMs: 20_000 });
    if (answer.finished) return answer.job;
  }
}

/** Takes a snapshot and returns the job's result. @throws when the job does not succeed */
export async function snapshot(
  client: RpcClient,
  params: MethodParams<'snapshot.create'> = {},
): Promise<Result> {
  const { job } = await client.call('snapshot.create', params);
  return succeeded(await finished(client, job.id));
}

/** Restores into a directory. @throws when the job does not succeed */
export async function restoreTo(
  client: RpcClient,
  snapshotId: string,
  path: string,
): Promise<Result> {
  const { job } = await client.call('restore.run', {
    snapshotId,
    target: { type: 'directory', path },
    check: 'none',
  });
  return succeeded(await finished(client, job.id));
}

/** The result of a job. @throws when it did not succeed */
export function succeeded(job: JobDocument): Result {
  if (job.status !== 'succeeded') {
    throw new Error(`Job ${job.kind} ${job.status}: ${JSON.stringify(job.error)}`);
  }
  return job.result as Result;
}
