import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import {
  approval,
  assertCloudEvent,
  ContractViolation,
  digestOf,
  type EventDefinition,
  INTEGRATION_EVENTS,
  isEvent,
  TOPICS,
} from './index.js';

/** One recorded message for each event ever published; a golden file is added, never changed. */
const folder = new URL('../golden/', import.meta.url);
const recordings = readdirSync(folder);

function recorded(name: string): unknown {
  return JSON.parse(readFileSync(new URL(name, folder), 'utf8'));
}

function definitionOf(name: string): EventDefinition {
  const found = INTEGRATION_EVENTS.find(({ type }) => `${type}.json` === name);
  if (found === undefined) throw new Error(`${name} was published once and must stay readable.`);
  return found;
}

describe('integration events', () => {
  it('are all found', () => {
    expect(INTEGRATION_EVENTS.map(({ type }) => type)).toContain(
      'org.patchtrail.approval.RingsAuthorized.v1',
    );
    expect(new Set(INTEGRATION_EVENTS.map(({ type }) => type)).size).toBe(
      INTEGRATION_EVENTS.length,
    );
    expect(TOPICS).toEqual([
      'approval.requests.v1',
      'deployment.outcomes.v1',
      'deployment.rollouts.v1',
      'discovery.endpoints.v1',
      'discovery.patches.v1',
      'prioritization.decisions.v1',
    ]);
  });

  it.each(INTEGRATION_EVENTS.map(({ type }) => type))('%s has a golden file', (type) => {
    expect(recordings).toContain(`${type}.json`);
  });

  it.each(INTEGRATION_EVENTS)('$type is named by the rules', ({ type, source, topic }) => {
    const [, context] = /^org\.patchtrail\.([a-z]+)\.[A-Z][A-Za-z]+\.v[1-9]\d*$/.exec(type) ?? [];
    expect(source).toBe(`/patchtrail/${String(context)}`);
    expect(topic).toMatch(new RegExp(`^${String(context)}\\.[a-z]+\\.v[1-9]\\d*$`));
  });
});

describe('golden files', () => {
  it.each(recordings)('%s is read today', (name) => {
    const definition = definitionOf(name);
    const message = assertCloudEvent(recorded(name));
    expect(isEvent(definition, message)).toBe(true);
    expect(message.source).toBe(definition.source);
    expect(message.dataschema).toBe(`urn:patchtrail:schema:${definition.type}`);
  });

  it.each(recordings)('%s is refused without any of the data that is required', (name) => {
    const definition = definitionOf(name);
    const message = assertCloudEvent(recorded(name));
    const required: unknown = definition.schema['required'];
    if (!Array.isArray(required) || required.length === 0) throw new Error('Nothing is required.');
    for (const field of required.map(String)) {
      const entries = Object.entries(message.data ?? {}).filter(([key]) => key !== field);
      const partial = { ...message, data: Object.fromEntries(entries) };
      expect(() => isEvent(definition, partial)).toThrow(
        expect.objectContaining({ name: ContractViolation.name, field: `/${field}` }),
      );
    }
  });

  it.each([approval.ApprovalRequested, approval.RingsAuthorized])(
    '$type carries a change whose digest never changes',
    (definition) => {
      const message = assertCloudEvent(recorded(`${definition.type}.json`));
      if (!isEvent(definition, message)) throw new Error('Another event.');
      expect(digestOf(message.data.change)).toBe(message.data.changeDigest);
    },
  );
});
