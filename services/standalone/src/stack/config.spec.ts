import { describe, expect, it } from '@jest/globals';
import { standaloneConfig } from '../config.js';
import { childEnvironment, serviceEnvironment } from './config.js';

describe('the environment of a process of the stack', () => {
  it('has what is the same for every process, and nothing else of its parent', () => {
    const parent = {
      PATH: '/usr/bin',
      AUTH_ISSUER: 'https://idp.example',
      OTEL_SERVICE_NAME: 'fleet',
      DISCOVERY_SYNC_CHECK_MS: '5000',
      DISCOVERY_DATABASE_URL: 'postgres://elsewhere/db',
      PATCHTRAIL_PORT: '3000',
      SECRET_OF_ANOTHER: 'hunter2',
    };

    expect(childEnvironment({ PATCHTRAIL_PORT: '0' }, parent)).toEqual({
      PATH: '/usr/bin',
      AUTH_ISSUER: 'https://idp.example',
      OTEL_SERVICE_NAME: 'fleet',
      DISCOVERY_SYNC_CHECK_MS: '5000',
      PATCHTRAIL_PORT: '0',
    });
  });

  it('names the one database, the store and the brokers of its service', () => {
    const config = standaloneConfig({ PATCHTRAIL_METRICS_PORT: '9464' });
    const place = {
      databaseUrl: 'postgres://localhost/approval',
      eventStoreUrl: null,
      brokers: ['127.0.0.1:9092', '127.0.0.1:9093'],
    };

    expect(serviceEnvironment(config, 'approval', 'approval-1', 3, place)).toMatchObject({
      PATCHTRAIL_SERVICES: 'approval',
      PATCHTRAIL_INSTANCE: 'approval-1',
      PATCHTRAIL_PORT: '0',
      PATCHTRAIL_METRICS_PORT: '9467',
      APPROVAL_DATABASE_URL: 'postgres://localhost/approval',
      EVENT_STORE_URL: undefined,
      KAFKA_BROKERS: '127.0.0.1:9092,127.0.0.1:9093',
    });
  });
});
