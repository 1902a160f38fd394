/** A table that a projection writes, by its name without a schema. */
export type ProjectedTable = Readonly<{
  name: string;
  /** What no event tells about a row. A rebuild takes it over from the row it replaces. */
  kept?: Readonly<{
    columns: readonly string[];
    /** Columns that say which row is the same one. */
    of: readonly string[];
  }>;
}>;
