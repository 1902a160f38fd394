import { expect, it } from '@jest/globals';
import { CONSUMERS } from '@patchtrail/contracts';
import { typesActedOn } from '@patchtrail/testing';
import { onFleet } from './on-fleet.js';

it('acts on what its group says, and on nothing else', async () => {
  expect(await typesActedOn(onFleet)).toEqual(CONSUMERS.approval.types);
});
