import { append } from './append.js';
import type { Bench } from './bench.js';
import { bus } from './bus.js';
import { endToEnd } from './end-to-end.js';
import { replay } from './replay.js';

/** Every benchmark by the name that it is run by: one file each. */
export const benches: Readonly<Record<string, Bench>> = {
  append,
  replay,
  bus,
  'end-to-end': endToEnd,
};
