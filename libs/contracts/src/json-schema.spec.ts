import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { INTEGRATION_EVENTS, jsonSchemaOf } from './index.js';

const folder = new URL('../schemas/', import.meta.url);

describe('the JSON Schemas that are checked in', () => {
  it('are one for each event', () => {
    expect(readdirSync(folder).sort()).toEqual(
      INTEGRATION_EVENTS.map(({ type }) => `${type}.json`).sort(),
    );
  });

  it.each(INTEGRATION_EVENTS)('$type is current', (definition) => {
    const stored = readFileSync(new URL(`${definition.type}.json`, folder), 'utf8');
    expect(stored).toBe(jsonSchemaOf(definition));
  });
});
