import type { DemoEndpoint, RingName } from './fleet.js';

const STURDY = 'Patchtrail PT-100';
export const BRITTLE = 'Patchtrail PT-200';

/**
 * One staging machine, two pilots of different hardware, the rest broad; departments alternate.
 * Four is the least that fills every ring and has both hardware classes in the pilot.
 */
export function layOut(count: number): readonly DemoEndpoint[] {
  if (count < 4) throw new RangeError('endpoints: at least 4, so that every ring has one');
  return Array.from({ length: count }, (_, index) => {
    const ring: RingName = index === 0 ? 'staging' : index <= 2 ? 'pilot' : 'broad';
    return {
      name: `${ring}-${String(index).padStart(2, '0')}`,
      department: index % 2 === 0 ? 'Engineering' : 'Finance',
      ring,
      hardwareModel: index % 2 === 0 ? STURDY : BRITTLE,
      environment: ring === 'staging' ? 'staging' : 'production',
    };
  });
}
