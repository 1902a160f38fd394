import { type Static, Type } from '@sinclair/typebox';
import { BusinessImpact, Environment, Exposure } from './vocabulary.js';

/** What is known of an endpoint besides its software; platform facts are its own report. */
export const EndpointAttributes = Type.Object({
  hostname: Type.String(),
  platform: Type.Object({
    os: Type.String(),
    release: Type.String(),
    codename: Type.String(),
    architecture: Type.String(),
  }),
  department: Type.String(),
  location: Type.String(),
  deviceType: Type.String(),
  environment: Environment,
  businessImpact: BusinessImpact,
  exposure: Exposure,
  owner: Type.String(),
  /** IANA name. */
  timeZone: Type.String(),
  hardwareModel: Type.String(),
  labels: Type.Record(Type.String(), Type.String()),
});
export type EndpointAttributes = Static<typeof EndpointAttributes>;
