import { FeedRefusal } from './feed-refusal.js';

/** One paragraph of a control file; names as written, continuation lines joined by a newline. */
export type Stanza = ReadonlyMap<string, string>;

export type StanzaReader = Readonly<{
  /** Takes the next piece of text, cut anywhere, and returns the stanzas it completes. */
  push(text: string): Stanza[];
  /** The last stanza, if the text did not end with an empty line. */
  end(): Stanza[];
}>;

const FIELD = /^([!-9;-~]+):[ \t]*(.*)$/;
const STANZA_CHARACTERS_MAX = 1_048_576;

/** Reads control paragraphs piece by piece. @throws FeedRefusal `malformed-index` with the line */
export function createStanzaReader(): StanzaReader {
  let rest = '';
  let line = 0;
  let size = 0;
  let name = '';
  let stanza = new Map<string, string>();

  function finish(): Stanza[] {
    if (stanza.size === 0) return [];
    const done = stanza;
    stanza = new Map();
    name = '';
    size = 0;
    return [done];
  }

  function take(text: string): Stanza[] {
    line += 1;
    size += text.length;
    if (size > STANZA_CHARACTERS_MAX) throw malformed(line, 'the paragraph is too long');
    if (text.trim() === '') return finish();
    if (text.startsWith(' ') || text.startsWith('\t')) {
      const before = stanza.get(name);
      if (before === undefined) throw malformed(line, 'a continuation line without a field');
      stanza.set(name, `${before}\n${text.slice(1)}`);
      return [];
    }
    const field = FIELD.exec(text);
    if (field === null) throw malformed(line, 'neither a field nor a continuation line');
    name = field[1] ?? '';
    if (stanza.has(name)) throw malformed(line, `the field ${name} stands twice in one paragraph`);
    stanza.set(name, (field[2] ?? '').trimEnd());
    return [];
  }

  return {
    push(text) {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > STANZA_CHARACTERS_MAX) throw malformed(line + 1, 'the line is too long');
      return lines.flatMap((each) => take(each.replace(/\r$/, '')));
    },
    end() {
      const last = rest;
      rest = '';
      const done = last === '' ? [] : take(last);
      return [...done, ...finish()];
    },
  };
}

function malformed(line: number, rule: string): FeedRefusal {
  return new FeedRefusal('malformed-index', `line ${line}: ${rule}`);
}

/** All paragraphs of a text that is at hand as a whole. */
export function readStanzas(text: string): Stanza[] {
  const reader = createStanzaReader();
  return [...reader.push(text), ...reader.end()];
}
