/** The environment of a child process: the demo's own, and these. */
export function childEnvironment(
  more: Readonly<Record<string, string>>,
): Record<string, string | undefined> {
  const { PATCHTRAIL_DEMO_MOUNTS: _, ...own } = process.env;
  return { ...own, ...more };
}

/** Set by the demo for itself once its mounts are its own. */
export function inPrivateMounts(): boolean {
  return process.env['PATCHTRAIL_DEMO_MOUNTS'] === 'private';
}
