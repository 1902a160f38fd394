/** The result of `work`, or an error at the deadline; what `work` does later goes unheard. */
export async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const give = () =>
      reject(new Error(`${what} has not ended within ${String(Math.round(ms))} ms`));
    timer = setTimeout(give, Math.max(0, ms));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
