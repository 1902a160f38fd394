import { beforeEach, describe, expect, it } from '@jest/globals';
import { createMemberHealth, type MemberHealth } from './health.js';

describe('the health of a member', () => {
  let health: MemberHealth;
  let clock: number;
  beforeEach(() => {
    clock = 5;
    health = createMemberHealth('spec.group', () => clock);
  });

  it('is bad until it has joined', () => {
    expect(health.problem()).toBe('spec.group: it has not joined yet');
    health.joined();
    expect(health.problem()).toBeNull();
  });

  it('is bad once it has not read for more than 30 s', () => {
    health.joined();
    clock += 30_000;
    expect(health.problem()).toBeNull();
    clock += 1;
    expect(health.problem()).toBe('spec.group: it has not read for 30 s');
    health.alive();
    expect(health.problem()).toBeNull();
  });

  it('is not made bad by a rebalance, unless that does not end', () => {
    health.joined();
    health.joining();
    expect(health.problem()).toBeNull();
    clock += 30_001;
    expect(health.problem()).toMatch(/has not read/);
  });

  it('is bad after a crash, until it has joined again', () => {
    health.joined();
    health.lost('the broker is away');
    expect(health.problem()).toBe('spec.group: the broker is away');
    health.joining();
    expect(health.problem()).toBe('spec.group: the broker is away');
    health.joined();
    expect(health.problem()).toBeNull();
  });

  it('is bad for good once Kafka has refused it', () => {
    health.joined();
    health.failed('not authorized');
    health.alive();
    expect(health.problem()).toBe('spec.group: not authorized');
  });
});
