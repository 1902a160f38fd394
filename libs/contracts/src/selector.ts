import { type Static, Type } from '@sinclair/typebox';
import type { EndpointAttributes } from './endpoint-attributes.js';
import { Id } from './vocabulary.js';

/** Attributes a selector may compare; a label is named `labels.<name>`. */
const SELECTABLE_ATTRIBUTES = [
  'hostname',
  'department',
  'location',
  'deviceType',
  'environment',
  'businessImpact',
  'exposure',
  'owner',
  'hardwareModel',
  'os',
  'codename',
  'architecture',
] as const;

/** Every part that is present must hold; an empty selector matches every endpoint. */
export const Selector = Type.Object(
  {
    /** Attribute name → value it must equal. */
    attributes: Type.Optional(
      Type.Record(Type.String({ maxLength: 100 }), Type.String({ maxLength: 200 }), {
        maxProperties: 20,
      }),
    ),
    endpointIds: Type.Optional(Type.Array(Id, { minItems: 1, maxItems: 10_000 })),
    /** In at least one of these device groups. */
    groupIds: Type.Optional(Type.Array(Id, { minItems: 1, maxItems: 100 })),
  },
  { additionalProperties: false },
);
export type Selector = Static<typeof Selector>;

/** A device group as its owner defined it; groups do not nest. */
export type GroupSelectors = ReadonlyMap<string, Selector>;

export type SelectableEndpoint = Readonly<{ endpointId: string; attributes: EndpointAttributes }>;

/** Name of the first attribute that no endpoint has, or `null`. */
export function unknownAttribute(selector: Selector): string | null {
  const known: readonly string[] = SELECTABLE_ATTRIBUTES;
  const names = Object.keys(selector.attributes ?? {});
  return names.find((name) => !known.includes(name) && !/^labels\.[\w.-]+$/.test(name)) ?? null;
}

/** Whether the endpoint is selected; a group that is not known selects nothing. */
export function matchesSelector(
  endpoint: SelectableEndpoint,
  selector: Selector,
  groups: GroupSelectors,
): boolean {
  const { attributes = {}, endpointIds, groupIds } = selector;
  if (endpointIds !== undefined && !endpointIds.includes(endpoint.endpointId)) return false;
  for (const [name, value] of Object.entries(attributes)) {
    if (attributeOf(endpoint.attributes, name) !== value) return false;
  }
  if (groupIds === undefined) return true;
  return groupIds.some((id) => {
    const group = groups.get(id);
    if (group === undefined || group.groupIds !== undefined) return false;
    return matchesSelector(endpoint, group, groups);
  });
}

function attributeOf(attributes: EndpointAttributes, name: string): string | undefined {
  if (name.startsWith('labels.')) return attributes.labels[name.slice('labels.'.length)];
  if (name === 'os' || name === 'codename' || name === 'architecture') {
    return attributes.platform[name];
  }
  const value = attributes[name as keyof EndpointAttributes];
  return typeof value === 'string' ? value : undefined;
}
