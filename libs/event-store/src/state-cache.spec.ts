import { describe, expect, it } from '@jest/globals';
import { createStateCache, type Fold } from './state-cache.js';

function foldOf(events: number): Fold<string> {
  const at = { state: 'any', revision: events - 1, recordedAt: null, position: null };
  return { at, commandIds: new Set() };
}

function keptOf(cache: ReturnType<typeof createStateCache<string>>, names: readonly string[]) {
  return names.filter((name) => cache.recall(name) !== undefined);
}

describe('a cache of folded streams', () => {
  it('forgets the streams that were used least recently', () => {
    const cache = createStateCache<string>({ streamsMax: 2 });
    cache.remember('a-1', foldOf(1));
    cache.remember('a-2', foldOf(1));
    cache.remember('a-1', foldOf(2));
    cache.remember('a-3', foldOf(1));
    expect(keptOf(cache, ['a-1', 'a-2', 'a-3'])).toEqual(['a-1', 'a-3']);
  });

  it('is bounded by the events of all streams together, counted as they are now', () => {
    const cache = createStateCache<string>({ eventsMax: 10 });
    const growing = foldOf(3);
    cache.remember('a-1', foldOf(4));
    cache.remember('a-2', growing);
    expect(keptOf(cache, ['a-1', 'a-2'])).toEqual(['a-1', 'a-2']);
    growing.at = foldOf(7).at;
    cache.remember('a-2', growing);
    expect(keptOf(cache, ['a-1', 'a-2'])).toEqual(['a-2']);
    cache.remember('a-3', foldOf(3));
    expect(keptOf(cache, ['a-2', 'a-3'])).toEqual(['a-2', 'a-3']);
    cache.forget('a-2');
    cache.remember('a-4', foldOf(7));
    expect(keptOf(cache, ['a-3', 'a-4'])).toEqual(['a-3', 'a-4']);
  });

  it('does not give up all others for one that is too long, nor keeps it', () => {
    const cache = createStateCache<string>({ eventsMax: 10 });
    cache.remember('a-1', foldOf(4));
    cache.remember('a-2', foldOf(6));
    cache.remember('a-2', foldOf(11));
    expect(keptOf(cache, ['a-1', 'a-2'])).toEqual(['a-1']);
  });

  it('keeps nothing of a stream that does not exist, and with no places nothing at all', () => {
    const cache = createStateCache<string>({ streamsMax: 1 });
    cache.remember('a-1', foldOf(1));
    cache.remember('a-2', foldOf(0));
    expect(keptOf(cache, ['a-1', 'a-2'])).toEqual(['a-1']);
    const none = createStateCache<string>({ streamsMax: 0 });
    none.remember('a-1', foldOf(1));
    expect(none.recall('a-1')).toBeUndefined();
  });
});
