import { isMeasuring } from './metrics.js';
import { isTracing } from './tracing.js';

/** For hot paths: while it is false they need not even say what they would have told. */
export function telemetryIsOn(): boolean {
  return isTracing() || isMeasuring();
}
