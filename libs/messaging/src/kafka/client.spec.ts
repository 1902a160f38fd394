import { describe, expect, it } from '@jest/globals';
import kafkajs from 'kafkajs';
import { createRequire } from 'node:module';
import { answerOf, isAnswerLost, isRetriable } from './client.js';

const { KafkaJSConnectionError, KafkaJSNonRetriableError } = kafkajs;

/** As the client makes it of an answer's code. */
function answered(code: number): Error {
  const load = createRequire(import.meta.url);
  const { createErrorFromCode } = load('kafkajs/src/protocol/error.js') as {
    createErrorFromCode: (code: number) => Error;
  };
  return createErrorFromCode(code);
}
const wrapped = (cause: Error) => Object.assign(new KafkaJSNonRetriableError(cause), { cause });
const named = (name: string) => Object.assign(new Error('named'), { name, retriable: false });

describe('an error of Kafka', () => {
  it.each<[string, Error]>([
    ['a lost connection', new KafkaJSConnectionError('gone')],
    ['a lost connection, given up by the client', wrapped(new KafkaJSConnectionError('gone'))],
    ['a coordinator that is loading', answered(14)],
    ['a group whose coordinator is not found', named('KafkaJSGroupCoordinatorNotFound')],
    ['a lock that took too long', wrapped(named('KafkaJSLockTimeout'))],
  ])('passes: %s', (_, error) => {
    expect(isRetriable(error)).toBe(true);
  });

  it.each<[string, unknown]>([
    ['a group that it may not join', answered(30)],
    ['a session time that is not allowed', wrapped(answered(26))],
    ['a wrong password', named('KafkaJSSASLAuthenticationError')],
    ['a mistake in the client', new TypeError('undefined is no function')],
    ['something else', 'text'],
  ])('stays: %s', (_, error) => {
    expect(isRetriable(error)).toBe(false);
  });

  it.each([
    ['a property', () => (null as unknown as { topicMetadata: unknown }).topicMetadata],
    [
      'its parts',
      () => {
        const { brokers } = null as unknown as { brokers: unknown };
        return brokers;
      },
    ],
  ])('means that an answer was lost, where the client asks null for %s', (_, ask) => {
    let thrown: unknown;
    try {
      ask();
    } catch (error) {
      thrown = error;
    }
    expect(isAnswerLost(thrown)).toBe(true);
    expect(isAnswerLost(new TypeError('undefined is no function'))).toBe(false);
  });

  it("keeps the broker's name for its answer", () => {
    expect(answerOf(wrapped(answered(3)))).toBe('UNKNOWN_TOPIC_OR_PARTITION');
    expect(answerOf(new KafkaJSConnectionError('gone'))).toBeNull();
  });
});
