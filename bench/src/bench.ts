/** What a benchmark found, as `--json` prints it. */
export type Result = Readonly<{
  name: string;
  /** What the product does, in `unit`. */
  ours: number;
  /** What was measured beside it in the same run, in `unit`. */
  limit: number;
  /** `ours` by `limit`. */
  ratio: number;
  unit: string;
  /** Everything else that was measured; each benchmark's own shape. */
  detail: Detail;
}>;

export type Detail =
  number | string | boolean | readonly Detail[] | { readonly [k: string]: Detail };

/** Sizes that make a run shorter; each benchmark has its own defaults. */
export type Sizes = Readonly<{
  /** Events to replay. */
  events?: number;
  /** How often each measurement is taken, in turn with the one it is compared with. */
  rounds?: number;
  /** Length of one measurement. */
  sliceMs?: number;
}>;

export type Bench = Readonly<{
  /** Finished in a minute or a few: what is measured, against which limit. */
  about: string;
  /** Why this host cannot run it; `null` if it can. Every host can, unless told. */
  missing?: () => Promise<string | null>;
  run: (sizes: Sizes) => Promise<Result>;
}>;

export function ratioOf(ours: number, limit: number): number {
  return Number((ours / limit).toFixed(2));
}
