import { writeSync } from 'node:fs';
import type { Point } from './points.js';

const STDOUT = 1;

/** The points of one process: at most one of them is armed. */
export type Crossings = Readonly<{
  /** The process shall end when it crosses the point for the n-th time, or that much later. */
  arm: (point: Point, nth: number, delayMs: number) => void;
  isArmed: (point: Point) => boolean;
  delayMs: () => number;
  /** Ends the process by SIGKILL if this was the crossing; it does not resolve then. */
  cross: (point: Point) => Promise<void>;
}>;

export function createCrossings(): Crossings {
  let armed: Readonly<{ point: Point; left: number; delayMs: number }> | null = null;
  return {
    arm: (point, nth, delayMs) => {
      armed = { point, left: nth, delayMs };
    },
    delayMs: () => armed?.delayMs ?? 0,
    isArmed: (point) => armed?.point === point,
    cross: (point) => {
      if (armed?.point !== point) return Promise.resolve();
      armed = { ...armed, left: armed.left - 1 };
      if (armed.left > 0) return Promise.resolve();
      tell(`at ${point}`);
      process.kill(process.pid, 'SIGKILL');
      return new Promise(() => undefined);
    },
  };
}

/** Written before it returns: the next statement may be the process's last. */
export function tell(line: string): void {
  writeSync(STDOUT, `${line}\n`);
}
