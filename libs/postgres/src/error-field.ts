/** Undefined unless it is text. Judged by its fields: errors of Node itself may be of another realm. */
export function errorField(error: unknown, key: string): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const value: unknown = Reflect.get(error, key);
  return typeof value === 'string' ? value : undefined;
}

/** Node's code such as ENOENT, or a SQLSTATE. */
export function errorCode(error: unknown): string | undefined {
  return errorField(error, 'code');
}

export function errorText(error: unknown): string {
  return errorField(error, 'message') ?? String(error);
}
