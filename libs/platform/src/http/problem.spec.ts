import { describe, expect, it } from '@jest/globals';
import { KeysUnavailable } from '@patchtrail/auth';
import { ContractViolation } from '@patchtrail/contracts';
import { DomainError } from '@patchtrail/event-sourcing';
import {
  AppendTooLarge,
  EventStoreBusy,
  EventStoreUnavailable,
  TooBusy,
  WrongExpectedRevision,
} from '@patchtrail/event-store';
import { SqlError } from '@patchtrail/postgres';
import { asProblem, notFound, statusOf } from '../index.js';
import { problemDocument } from './problem.js';

describe('problems', () => {
  it.each<[Error, number, string]>([
    [new DomainError('already-voted'), 409, 'already-voted'],
    [new DomainError('self-approval'), 403, 'self-approval'],
    [new DomainError('not-requested'), 404, 'not-requested'],
    [new DomainError('invalid-plan', 'rings: too many'), 422, 'invalid-plan'],
    [new DomainError('unknown-group'), 422, 'unknown-group'],
    [new WrongExpectedRevision('a-1', 1, 2), 412, 'stale-revision'],
    [new ContractViolation('t', '/a/0', 'Expected string'), 422, 'contract-violation'],
    [new AppendTooLarge('a-1', 2_000_000), 413, 'append-too-large'],
    [new TooBusy('a-1', '1000 are waiting'), 503, 'busy'],
    [new EventStoreBusy('queue-full'), 503, 'busy'],
    [new EventStoreUnavailable('no answer'), 503, 'unavailable'],
    [new SqlError('connect ECONNREFUSED', 'ECONNREFUSED', undefined), 503, 'unavailable'],
    [new SqlError('Connection terminated', undefined, undefined), 503, 'unavailable'],
    [new SqlError('terminating connection', '57P01', undefined), 503, 'unavailable'],
    [
      new SqlError('canceling statement due to lock timeout', '55P03', undefined),
      503,
      'unavailable',
    ],
    [new SqlError('deadlock detected', '40P01', undefined), 503, 'unavailable'],
    [new KeysUnavailable('gone'), 503, 'keys-unavailable'],
    [notFound('endpoint 7'), 404, 'not-found'],
  ])('%s has a status', (error, status, code) => {
    expect(asProblem(error)).toMatchObject({ status, code });
  });

  it('are not made of what nobody expected', () => {
    expect(asProblem(new TypeError('x is undefined'))).toBeNull();
    expect(asProblem('text')).toBeNull();
    expect(asProblem(new SqlError('syntax error', '42601', undefined))).toBeNull();
  });

  it('name the place in a contract as a path', () => {
    const violation = new ContractViolation('t', '/rings/0/cap/a~1b', 'Expected integer');
    expect(asProblem(violation)?.errors).toEqual([
      { field: 'rings[0].cap.a/b', rule: 'Expected integer' },
    ]);
  });

  it.each([
    ['invalid-plan', 'plan.rings[0].cap: must be there', 'plan.rings[0].cap', 'must be there'],
    ['digest-mismatch', 'changeDigest: is another: x', 'changeDigest', 'is another: x'],
  ])('name field and rule of what can never be done: %s', (code, detail, field, rule) => {
    expect(asProblem(new DomainError(code, detail))).toMatchObject({
      detail,
      errors: [{ field, rule }],
    });
  });

  it.each([
    ['invalid-plan', 'has a cycle'],
    ['invalid-plan', undefined],
    ['already-voted', 'by: has decided before'],
    ['self-approval', 'by: the requester may not'],
  ])('name no field otherwise: %s %s', (code, detail) => {
    expect(asProblem(new DomainError(code, detail))?.errors).toEqual([]);
  });

  it('are RFC 9457 documents', () => {
    expect(problemDocument(notFound('endpoint 7'), 'abc')).toEqual({
      type: 'urn:patchtrail:problem:not-found',
      title: 'Not found',
      status: 404,
      code: 'not-found',
      detail: 'There is no endpoint 7.',
      traceId: 'abc',
    });
  });

  it('have the status of their code', () => {
    expect(statusOf('invalid-request')).toBe(400);
    expect(statusOf('invalid-policy')).toBe(422);
    expect(statusOf('request-in-flight')).toBe(409);
  });
});
