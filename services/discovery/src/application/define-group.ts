import { discovery, matchesSelector, type Selector, unknownAttribute } from '@patchtrail/contracts';
import { DomainError } from '@patchtrail/event-sourcing';
import { assertGroup } from '../domain/device-group.js';
import type { DeviceGroup, Endpoint, Tx } from './ports.js';

/** How many endpoints are in the new group. @throws DomainError `invalid-group`, `group-name-taken` */
export async function defineGroup(tx: Tx, group: DeviceGroup, at: string): Promise<number> {
  const endpoints = await tx.endpoints.active();
  const known = new Set(endpoints.map(({ endpointId }) => endpointId));
  const stranger = group.selector.endpointIds?.find((id) => !known.has(id)) ?? null;
  assertGroup(group, unknownAttribute(group.selector), stranger);
  if (!(await tx.groups.add(group, at))) {
    throw new DomainError('group-name-taken', `name: ${group.name} is a group already`);
  }
  const memberCount = membersOf(group.selector, endpoints).length;
  const subject = { kind: 'device-group', id: group.groupId };
  await tx.publish(discovery.DeviceGroupChanged, subject, { ...group, memberCount });
  return memberCount;
}

export function membersOf(selector: Selector, endpoints: readonly Endpoint[]): readonly Endpoint[] {
  return endpoints.filter((endpoint) => matchesSelector(endpoint, selector, new Map()));
}
