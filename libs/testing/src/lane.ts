import { describe, it } from '@jest/globals';
import { mustRunEverything } from './config.js';

/**
 * Specs that need something of the host. Where it is `missing`, they are skipped and the reason is
 * named at the end of the run; with CI=true that is a failure.
 */
export function lane(title: string, missing: string | null, specs: () => void): void {
  if (missing === null) {
    describe(title, specs);
  } else if (mustRunEverything()) {
    describe(title, () => {
      it('has what it needs on this host', () => {
        throw new Error(missing);
      });
    });
  } else {
    describe.skip(`${title} [not run: ${missing}]`, specs);
  }
}
