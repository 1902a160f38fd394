import type grpc from '@grpc/grpc-js';
import type streams from '@eventstore/db-client/generated/streams_pb.js';
import type { Refusal } from './wire.js';

/** The sending side of a read: at most a transport buffer ahead of the reader. */
export type Outlet = {
  readonly closed: boolean;
  /** False when the reader is behind: wait for `drained` before the next message. */
  write(message: streams.ReadResp): boolean;
  /** Resolves when there is room again, or when the call is over. */
  drained(): Promise<void>;
  end(): void;
  fail(refusal: Refusal): void;
  onClose(listener: () => void): void;
};

export function outletOf(
  call: grpc.ServerWritableStream<streams.ReadReq, streams.ReadResp>,
  counts: { messages: number },
): Outlet {
  let closed = false;
  const listeners = new Set<() => void>();
  const close = (): void => {
    closed = true;
    for (const listener of listeners) listener();
    listeners.clear();
  };
  call.on('error', close);
  call.on('cancelled', close);
  call.on('close', close);

  return {
    get closed() {
      return closed;
    },
    write: (message) => {
      if (closed) return true;
      counts.messages += 1;
      return call.write(message);
    },
    drained: () =>
      new Promise((resolve) => {
        if (closed || !call.writableNeedDrain) {
          resolve();
          return;
        }
        const done = (): void => {
          listeners.delete(done);
          call.off('drain', done);
          resolve();
        };
        listeners.add(done);
        call.on('drain', done);
      }),
    end: () => {
      if (!closed) call.end();
      close();
    },
    fail: (refusal) => {
      if (!closed) call.emit('error', refusal);
    },
    onClose: (listener) => listeners.add(listener),
  };
}
