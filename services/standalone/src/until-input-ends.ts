/** Given to a process that must not outlive the one which holds its standard input open. */
export const UNTIL_INPUT_ENDS = '--until-input-ends';

const STOP_MS_MAX = 10_000;

/**
 * Resolves when standard input has ended, if the arguments ask for it. From then on the process has
 * ten seconds, whatever it is doing.
 */
export async function untilInputEnds(args: readonly string[]): Promise<'its input has ended'> {
  return new Promise((resolve) => {
    if (!args.includes(UNTIL_INPUT_ENDS)) return;
    const end = () => {
      setTimeout(() => process.exit(1), STOP_MS_MAX).unref();
      resolve('its input has ended');
    };
    process.stdin.once('end', end).once('error', end).resume();
    // It is the other end's to keep this process waiting, not the input's.
    if ('unref' in process.stdin) process.stdin.unref();
  });
}
