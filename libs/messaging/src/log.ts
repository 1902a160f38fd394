/** The part of a structured logger that is used here; a pino logger is one. */
export type Log = Readonly<
  Record<
    'info' | 'warn' | 'error',
    (fields: Readonly<Record<string, unknown>>, text: string) => void
  >
>;
