import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Discovery, enrol, field, startDiscovery, text } from './discovery-harness.suite.js';

let discovery: Discovery;

beforeAll(async () => {
  discovery = await startDiscovery();
});
afterAll(() => discovery.stop());

describe('device groups', () => {
  const define = (body: unknown, key = randomUUID()) =>
    discovery.call('POST', '/v1/device-groups', { body, key });

  it('hold the endpoints that their selector names', async () => {
    const legal = await enrol(discovery, 'legal-1', { department: 'Legal' });
    await enrol(discovery, 'legal-2', { department: 'Legal', exposure: 'none' });
    await discovery.events();
    const body = {
      name: 'public legal',
      selector: { attributes: { department: 'Legal', exposure: 'public' } },
    };
    const key = randomUUID();
    const defined = await define(body, key);
    expect(defined).toMatchObject({ status: 201, body: { memberCount: 1 } });
    expect((await define(body, key)).body).toEqual(defined.body);
    expect(await define(body)).toMatchObject({
      ...{ status: 409, body: { code: 'group-name-taken' } },
    });
    expect(await discovery.events()).toMatchObject([
      {
        type: 'org.patchtrail.discovery.DeviceGroupChanged.v1',
        data: { ...body, memberCount: 1 },
      },
    ]);
    const group = await discovery.call('GET', `/v1/device-groups/${text(defined.body, 'groupId')}`);
    expect(field(group.body, 'data', 'members')).toEqual([
      { endpointId: legal.endpointId, hostname: 'legal-1' },
    ]);
    const list = await discovery.call('GET', '/v1/device-groups');
    expect(field(list.body, 'data', 'items')).toMatchObject([{ name: 'public legal' }]);
  });

  it.each([
    [400, 'selector', { name: 'x', selector: { colour: 'red' } }],
    [422, 'selector', { name: 'x', selector: {} }],
    [422, 'selector.groupIds', { name: 'x', selector: { groupIds: [randomUUID()] } }],
    [422, 'selector.attributes.floor', { name: 'x', selector: { attributes: { floor: '1' } } }],
    [422, 'selector.endpointIds', { name: 'x', selector: { endpointIds: [randomUUID()] } }],
  ])('are refused with %i for %s', async (status, detail, body) => {
    expect(await define(body)).toMatchObject({
      ...{ status, body: { detail: expect.stringContaining(detail) } },
    });
  });
});
