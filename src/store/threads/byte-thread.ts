import { parentPort, workerData } from 'node:worker_threads';
import { type Batch, performBatch, type Slot } from './byte-batch.ts';
import { letGo } from './let-go.ts';

/** A thread of a worker process that hashes, compresses and decodes: it touches bytes, never files. */
const slots = workerData as readonly Slot[];
const memories = new Map<number, SharedArrayBuffer>();
parentPort?.on('message', (batch: Batch) => {
  parentPort?.postMessage(performBatch(batch, slots, memories));
  letGo(batch.workBytes);
});
