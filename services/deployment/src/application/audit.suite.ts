import assert from 'node:assert/strict';
import type { StoredEvent } from '@patchtrail/event-store';
import { rolloutCodec } from '../adapters/event-store/rollout-codec.js';
import { wavePartCodec } from '../adapters/event-store/wave-part-codec.js';
import type { RolloutEvent } from '../domain/rollout-messages.js';
import type { WavePartEvent } from '../domain/wave-part-messages.js';
import { parsePartStream, PART_PREFIX } from './names.js';

type Wave = { cap: number; passed: boolean; failed: number };
type Book = {
  waves: Map<number, Wave>;
  frozen: number[];
  gateLimits: number[];
  uptoRing: number;
  haltEpoch: number | null;
  closed: string | null;
};
type Place = Readonly<{ stream: string; id: string; ring: number }>;

/**
 * Reads the events in their global order with nothing of the deciders, keeps its own books and
 * asserts after each event what must hold at every instant.
 */
export function createAudit() {
  const books = new Map<string, Book>();
  const attempts = createAttemptBooks();
  const partEpochs = new Map<string, number>();
  const members = new Set<string>();
  const ends = new Map<string, number>();
  /** By part and endpoint: what may have been changed, and what is to be undone. */
  const changed = new Set<string>();
  const undone = new Set<string>();

  const bookOf = (id: string): Book => {
    const found = books.get(id);
    assert.ok(found, `rollout ${id} was never created`);
    return found;
  };
  const waveOf = ({ id, ring }: Place): Wave => {
    const wave = bookOf(id).waves.get(ring);
    assert.ok(wave, `ring ${ring} acts without being open`);
    return wave;
  };
  const end = ({ id }: Place, endpointId: string) => {
    const key = `${id}/${endpointId}`;
    ends.set(key, (ends.get(key) ?? 0) + 1);
  };

  const create = (id: string, event: RolloutEvent) => {
    if (event.type !== 'RolloutCreated') return;
    const { plan, uptoRing } = event.data;
    const gateLimits = plan.rings.map(({ gate }) => gate.failuresMax);
    const book = { waves: new Map(), frozen: [], gateLimits, uptoRing };
    books.set(id, { ...book, haltEpoch: null, closed: null });
  };

  const rolloutRules: readonly ((book: Book, event: RolloutEvent, id: string) => void)[] = [
    (book, { type }) => {
      assert.equal(book.closed, null, `${type} after the rollout was closed`);
    },
    (book, { type, data }) => {
      if (type === 'AuthorizationWidened') book.uptoRing = data.uptoRing;
      if (type === 'CohortFrozen') book.frozen = data.rings.map((ring) => ring.endpointCount);
    },
    (book, { type, data }) => {
      if (type !== 'WaveOpened') return;
      assert.equal(book.haltEpoch, null, 'a ring opens after the halt');
      assert.ok(data.ring <= book.uptoRing, 'a ring opens without an authorization');
      assert.equal(
        data.parts.reduce((sum, { share }) => sum + share, 0),
        data.cap,
      );
      for (let before = 0; before < data.ring; before += 1) {
        assert.equal(book.waves.get(before)?.passed, true, `${data.ring} opens before ${before}`);
      }
      book.waves.set(data.ring, { cap: data.cap, passed: false, failed: 0 });
    },
    (book, { type, data }) => {
      if (type !== 'GateEvaluated') return;
      const wave = book.waves.get(data.ring) ?? { cap: 0, passed: false, failed: 0 };
      const passed = data.verdict === 'passed';
      const breached = wave.failed > (book.gateLimits[data.ring] ?? 0);
      assert.ok(!passed || !breached, 'a breached ring passes');
      assert.equal(data.inputs.planned, book.frozen[data.ring], 'judged on a part of the ring');
      book.waves.set(data.ring, { ...wave, passed });
    },
    (book, { type, data }) => {
      if (type !== 'HaltRequested') return;
      assert.equal(book.haltEpoch, null, 'halted twice');
      book.haltEpoch = data.epoch;
    },
    (book, { type, data }, id) => {
      if (type !== 'RolloutClosed') return;
      book.closed = data.outcome;
      if (data.outcome.startsWith('roll')) {
        const own = [...changed].filter((key) => key.startsWith(`${PART_PREFIX}${id}_`));
        for (const key of own) assert.ok(undone.has(key), `${key} is not rolled back`);
      }
      if (data.outcome.startsWith('completed')) assert.equal(book.haltEpoch, null);
      assert.deepEqual(attempts.outIn(`${id}/`), [], 'closed with attempts out');
    },
  ];

  const partRules: readonly ((place: Place, event: WavePartEvent) => void)[] = [
    ({ id }, { type, data }) => {
      if (type !== 'PartPlanned') return;
      for (const endpointId of data.endpoints) {
        assert.equal(members.has(`${id}/${endpointId}`), false, `${endpointId} is planned twice`);
        members.add(`${id}/${endpointId}`);
      }
    },
    ({ stream }, { type, data }) => {
      if (type === 'PartOpened') {
        assert.equal(partEpochs.has(stream), false, 'a part opens after its halt, or twice');
      }
      if (type === 'PartOpened' || type === 'PartHalted') partEpochs.set(stream, data.epoch);
    },
    (place, { type, data }) => {
      if (type !== 'PartHalted') return;
      for (const { attemptId, endpointId } of data.stopped) {
        if (attemptId !== null) attempts.recall(attemptId);
        end(place, endpointId);
      }
    },
    (place, { type, data }) => {
      if (type !== 'LeasesIssued') return;
      for (const { attemptId, endpointId, epoch } of data.leases) {
        assert.equal(epoch, partEpochs.get(place.stream), 'a lease of another epoch');
        attempts.issue(attemptId, endpointId, `${place.id}/${place.ring}`);
      }
      const out = attempts.outIn(`${place.id}/${place.ring}`).length;
      assert.ok(out <= waveOf(place).cap, `${out} in flight exceed the cap`);
    },
    ({ stream }, { type, data }) => {
      if (type !== 'LeasesConfirmed') return;
      assert.equal(data.epoch, partEpochs.get(stream), 'a start with another epoch');
      for (const { attemptId } of data.attempts) attempts.confirm(attemptId);
    },
    ({ stream }, { type, data }) => {
      if (type !== 'OutcomesRecorded') return;
      for (const { attemptId, endpointId, disposition, outcome } of data.outcomes) {
        if (disposition === 'late' || outcome === 'already-compliant') continue;
        if (attempts.mayHaveChanged(attemptId)) changed.add(`${stream}/${endpointId}`);
      }
    },
    ({ stream }, { type, data }) => {
      if (type !== 'LeasesExpired' || data.kind !== 'install') return;
      for (const { attemptId, endpointId } of data.expired) {
        if (attemptId === null || !attempts.mayHaveChanged(attemptId)) continue;
        changed.add(`${stream}/${endpointId}`);
      }
    },
    ({ stream }, { type, data }) => {
      if (type !== 'RollbackPlanned') return;
      for (const { endpointId, rollbackOf } of data.endpoints) {
        const key = `${stream}/${endpointId}`;
        assert.equal(attempts.mayHaveChanged(rollbackOf), true, `${key} was not changed`);
        assert.equal(undone.has(key), false, `${key} is to be rolled back twice`);
        undone.add(key);
      }
    },
    (place, { type, data }) => {
      if (type !== 'OutcomesRecorded' && type !== 'RollbacksRecorded') return;
      for (const { attemptId, endpointId, disposition, outcome } of data.outcomes) {
        attempts.report(attemptId, disposition === 'late');
        if (disposition !== 'final' || type === 'RollbacksRecorded') continue;
        end(place, endpointId);
        if (outcome === 'failed') waveOf(place).failed += 1;
      }
    },
    (place, { type, data }) => {
      if (type !== 'LeasesExpired') return;
      for (const { attemptId, endpointId } of data.expired) {
        if (attemptId !== null) attempts.free(attemptId);
        if (data.kind === 'rollback') continue;
        end(place, endpointId);
        waveOf(place).failed += 1;
      }
    },
  ];

  const see = (event: StoredEvent) => {
    const name = parsePartStream(event.stream);
    if (name !== null) {
      const place = { stream: event.stream, id: name.rolloutId, ring: name.ring };
      const decoded = wavePartCodec.decode(event);
      for (const rule of partRules) rule(place, decoded);
      return;
    }
    const id = event.stream.slice('rollout-'.length);
    const decoded = rolloutCodec.decode(event);
    create(id, decoded);
    for (const rule of rolloutRules) rule(bookOf(id), decoded, id);
  };

  /** What must hold once nothing more can happen. */
  const settle = () => {
    for (const [id, { frozen, waves, haltEpoch, closed, gateLimits }] of books) {
      assert.deepEqual(attempts.outIn(`${id}/`), [], 'attempts are still out');
      const planned = [...members].filter((key) => key.startsWith(`${id}/`));
      assert.equal(
        planned.length,
        frozen.reduce((sum, count) => sum + count, 0),
      );
      for (const key of planned) assert.equal(ends.get(key), 1, `${key} does not end once`);
      for (const [ring, wave] of waves) {
        if (wave.failed <= (gateLimits[ring] ?? 0)) continue;
        assert.notEqual(haltEpoch, null, `the breach of ring ${ring} is ignored`);
      }
      assert.notEqual(closed, null, `rollout ${id} never ends`);
    }
  };

  return { see, settle, haltEpochOf: (id: string) => books.get(id)?.haltEpoch ?? null };
}

/** Which attempts are out, over all rollouts. */
function createAttemptBooks() {
  const out = new Map<string, { endpointId: string; ring: string }>();
  const confirmed = new Set<string>();
  const reported = new Set<string>();

  const free = (attemptId: string) => {
    assert.ok(out.delete(attemptId), `the slot of ${attemptId} is freed twice`);
  };
  return {
    free,
    outIn: (ring: string) => [...out.values()].filter((one) => one.ring.startsWith(ring)),
    issue: (attemptId: string, endpointId: string, ring: string) => {
      const taken = [...out.values()].some((one) => one.endpointId === endpointId);
      assert.equal(taken, false, `${endpointId} has two active attempts`);
      out.set(attemptId, { endpointId, ring });
    },
    mayHaveChanged: (attemptId: string) => confirmed.has(attemptId),
    confirm: (attemptId: string) => {
      assert.ok(out.has(attemptId), 'a start of a lease that has ended');
      assert.equal(confirmed.has(attemptId), false, 'started twice');
      confirmed.add(attemptId);
    },
    recall: (attemptId: string) => {
      assert.equal(confirmed.has(attemptId), false, 'recalled after it started');
      free(attemptId);
    },
    report: (attemptId: string, late: boolean) => {
      const key = `${attemptId} ${late ? 'late' : 'in time'}`;
      assert.equal(reported.has(key), false, `${key} is recorded twice`);
      reported.add(key);
      if (!late) free(attemptId);
    },
  };
}
