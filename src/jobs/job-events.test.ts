import { expect, it } from 'vitest';
import { silentLogger } from '../kernel/logger.ts';
import { JobEvents } from './job-events.ts';
import { ProgressTracker } from './progress-tracker.ts';
import { ManualClock } from './testing/manual-clock.ts';

const progress = new ProgressTracker(new ManualClock(), () => {}).current;
const event = (jobId: string) => ({ type: 'job.progress', jobId, progress }) as const;

it('all listeners hear all events in the same order, though one causes events of its own', () => {
  const events = new JobEvents(silentLogger);
  const heard: string[] = [];
  events.subscribe((each) => {
    if (each.sequence < 3) events.emit(event(`echo of ${each.sequence}`));
  });
  events.subscribe((each) => heard.push(`${each.sequence} ${'jobId' in each && each.jobId}`));
  events.emit(event('first'));
  expect(heard).toEqual(['1 first', '2 echo of 1', '3 echo of 2']);
  expect(events.sequence).toBe(3);
});

it('a listener that fails harms neither the job nor the other listeners', () => {
  const complaints: string[] = [];
  const events = new JobEvents({
    ...silentLogger,
    error: (_fields, message) => complaints.push(message),
  });
  const heard: number[] = [];
  events.subscribe(() => {
    throw new Error('broken subscriber');
  });
  const leave = events.subscribe((each) => heard.push(each.sequence));
  events.emit(event('a'));
  leave();
  events.emit(event('b'));
  expect(heard).toEqual([1]);
  expect(complaints).toHaveLength(2);
});
