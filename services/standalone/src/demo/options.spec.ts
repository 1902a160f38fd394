import { describe, expect, it } from '@jest/globals';
import { demoOptions } from './options.js';

describe('the demo options', () => {
  it('have defaults', () => {
    expect(demoOptions([])).toEqual({
      profile: 'standalone',
      endpoints: 6,
      keep: false,
      json: false,
      trace: false,
      mirror: null,
    });
  });

  it('are read', () => {
    const args = [
      '--profile',
      'distributed',
      '--endpoints',
      '8',
      '--keep',
      '--json',
      '--trace',
      '--mirror',
      'http://m.example/debian',
    ];
    expect(demoOptions(args)).toEqual({
      profile: 'distributed',
      endpoints: 8,
      keep: true,
      json: true,
      trace: true,
      mirror: 'http://m.example/debian',
    });
  });

  it.each([
    [['--endpoints', '3'], '--endpoints: must be a whole number from 4 to 50'],
    [['--endpoints', 'six'], '--endpoints: must be a whole number from 4 to 50'],
    [['--profile', 'both'], '--profile: must be standalone or distributed'],
    [['--mirror', 'ftp://m'], '--mirror: must be an http or https URL'],
    [['--fast'], "Unknown option '--fast'"],
  ])('name the option and the rule: %j', (args, message) => {
    expect(() => demoOptions(args)).toThrow(message);
  });
});
