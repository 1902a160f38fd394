/** Given to a process that must not outlive the one which has started it. */
export const UNTIL_PARENT_ENDS = '--until-parent-ends';

const LOOK_MS = 500;
const STOP_MS_MAX = 60_000;

/**
 * Resolves when the process that started this one is gone, if the arguments ask for it: npm passes
 * SIGTERM on, but nobody passes on that it was killed. From then on there is a minute to stop in.
 */
export async function untilParentEnds(args: readonly string[]): Promise<'its parent has ended'> {
  const parent = process.ppid;
  return new Promise((resolve) => {
    if (!args.includes(UNTIL_PARENT_ENDS)) return;
    const looking = setInterval(() => {
      if (process.ppid === parent) return;
      clearInterval(looking);
      setTimeout(() => process.exit(1), STOP_MS_MAX).unref();
      resolve('its parent has ended');
    }, LOOK_MS).unref();
  });
}
