import { describe, expect, it } from '@jest/globals';
import { faultsConfig, hostEnvironment } from './config.js';

describe('the options of the fault harness', () => {
  it('are few kills on both buses, from a seed of chance', () => {
    const config = faultsConfig([], {});
    expect(config).toMatchObject({ kills: 20, buses: ['kafka', 'postgres'], hasMutants: false });
    expect(config.seed).toBeGreaterThanOrEqual(0);
  });

  it('are many kills and mutants in the nightly lane', () => {
    const nightly = faultsConfig([], { PATCHTRAIL_NIGHTLY: 'true', CI: 'true' });
    expect(nightly).toMatchObject({ kills: 200, hasMutants: true, isComplete: true });
  });

  it('can be given', () => {
    const given = ['--seed', '7', '--kills', '33', '--bus', 'postgres', '--mutants', '--verbose'];
    expect(faultsConfig(given, {})).toEqual({
      ...{ seed: 7, kills: 33, buses: ['postgres'], hasMutants: true },
      ...{ isComplete: false, isVerbose: true },
    });
  });

  it.each([
    [['--seed', 'x'], '--seed: must be a whole number from 0 to 999999999'],
    [['--seed', '1.5'], '--seed: must be a whole number from 0 to 999999999'],
    [['--kills', '0'], '--kills: must be a whole number from 1 to 999999999'],
    [['--bus', 'rabbit'], '--bus: must be kafka or postgres'],
    [['--else'], "Unknown option '--else'"],
  ])('are refused where they break a rule: %j', (args, rule) => {
    expect(() => faultsConfig(args, {})).toThrow(rule);
  });

  it('leave hosts no variable of their surroundings that means something to them', () => {
    const around = { PATH: '/bin', DATABASE_URL: 'postgres://a', KAFKA_BROKERS: 'b', HOME: '/h' };
    expect(hostEnvironment({ PATCHTRAIL_PORT: '0' }, around)).toEqual({
      ...{ PATH: '/bin', HOME: '/h', PATCHTRAIL_PORT: '0' },
    });
  });
});
