import { setTimeout as pause } from 'node:timers/promises';
import { type Caller, type Outcome, recordOf } from './client.js';
import type { Random } from './random.js';
import {
  enrolmentOf,
  enrolmentWish,
  requestOf,
  type Setting,
  templateNamed,
  type Tokens,
} from './setting.js';

/**
 * A command as the harness remembers it. The mark is a text that the command carries into whatever
 * the product keeps of it, so that it can be found there without asking the product.
 */
export type Command = Readonly<{
  mark: string;
  kind: 'template' | 'revision' | 'request' | 'decision' | 'withdrawal' | 'enrolment';
  outcome: Outcome['kind'];
  /** Of a refusal, or of a silence. */
  reason: string;
}>;

export type Workload = Readonly<{
  commands: () => readonly Command[];
  /** No further command; resolves when the last one has been judged. */
  stop: () => Promise<void>;
}>;

type Writer = Readonly<{
  caller: Caller;
  random: Random;
  tokens: Tokens;
  setting: Setting;
  run: string;
  note: (command: Command) => void;
  nextMark: (kind: Command['kind']) => string;
}>;

const PACE_MS = 800;

/** Several writers, each with an order of its own that follows from the seed. */
export function startWorkload(
  options: Readonly<{
    caller: Caller;
    random: Random;
    tokens: Tokens;
    setting: Setting;
    run: string;
    writers: number;
  }>,
): Workload {
  const commands: Command[] = [];
  let isOver = false;
  const write = async (index: number) => {
    let count = 0;
    const writer: Writer = {
      ...options,
      random: options.random.fork(`writer ${String(index)}`),
      note: (command) => commands.push(command),
      nextMark: (kind) => `${options.run}-w${String(index)}-${String((count += 1))}-${kind}`,
    };
    while (!isOver) {
      await writer.random.pick([defineAndRevise, askAndDecide, enrol])(writer);
      await pause(writer.random.below(PACE_MS));
    }
  };
  const writing = Promise.all(Array.from({ length: options.writers }, (_, index) => write(index)));
  writing.catch(() => undefined);
  return {
    commands: () => commands,
    stop: async () => {
      isOver = true;
      await writing;
    },
  };
}

type Body = Readonly<Record<string, unknown>>;

/** `null` unless it was acknowledged. */
async function send(
  writer: Writer,
  kind: Command['kind'],
  to: 'front' | 'back',
  path: string,
  bodyOf: (mark: string) => object,
  tokenOf: () => Promise<string> = writer.tokens.pat,
): Promise<Body | null> {
  const mark = writer.nextMark(kind);
  const token = await tokenOf();
  const request = { to, method: 'POST', path, body: bodyOf(mark), token, key: mark } as const;
  const outcome = await writer.caller.call(request);
  writer.note({ mark, kind, outcome: outcome.kind, reason: reasonOf(outcome) });
  return outcome.kind === 'acknowledged' ? outcome.body : null;
}

function reasonOf(outcome: Outcome): string {
  if (outcome.kind === 'acknowledged') return '';
  return outcome.kind === 'refused' ? outcome.code : outcome.reason;
}

async function defineAndRevise(writer: Writer): Promise<void> {
  const path = '/v1/plan-templates';
  const defined = await send(writer, 'template', 'back', path, templateNamed);
  if (defined === null) return;
  const revisions = `${path}/${String(defined['templateId'])}/revisions`;
  const wanted = 1 + writer.random.below(3);
  await Promise.all(
    Array.from({ length: wanted }, () =>
      send(writer, 'revision', 'back', revisions, templateNamed),
    ),
  );
}

async function askAndDecide(writer: Writer): Promise<void> {
  const { setting, tokens, random } = writer;
  const path = '/v1/approval-requests';
  const opened = await send(writer, 'request', 'back', path, (mark) =>
    requestOf(setting.patchIds, setting.templateId, mark),
  );
  if (opened === null) return;
  const own = `${path}/${String(opened['requestId'])}`;
  const { changeDigest } = recordOf(opened);
  const vote = (verdict: string, tokenOf: () => Promise<string>) =>
    send(
      ...([writer, 'decision', 'back', `${own}/decisions`] as const),
      (remark) => ({ verdict, changeDigest, remark }),
      tokenOf,
    );
  switch (random.below(6)) {
    case 0:
      await vote('reject', tokens.ana);
      return;
    case 1:
      await send(writer, 'withdrawal', 'back', `${own}/withdrawal`, (reason) => ({ reason }));
      return;
    default:
      await Promise.all([vote('approve', tokens.ana), vote('approve', tokens.bo)]);
  }
}

/** A token whose answer was lost is shown to nobody again; then there is nothing to enrol with. */
async function enrol(writer: Writer): Promise<void> {
  const mark = writer.nextMark('enrolment');
  const issued = await writer.caller.call({
    ...{ to: 'front', method: 'POST', path: '/v1/enrolment-tokens', body: enrolmentWish },
    ...{ token: await writer.tokens.pat(), key: `${mark}-token` },
  });
  if (issued.kind !== 'acknowledged') return;
  const token = String(issued.body['token']);
  const secret = mark
    .replaceAll(/[^a-z0-9]/g, '')
    .padEnd(43, 'a')
    .slice(0, 43);
  const body = enrolmentOf(token, mark, secret);
  const outcome = await writer.caller.call({
    ...{ to: 'front', method: 'POST', path: '/v1/endpoints:enrol', token: null, body, key: mark },
  });
  writer.note({ mark, kind: 'enrolment', outcome: outcome.kind, reason: reasonOf(outcome) });
}
