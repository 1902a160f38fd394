/** The envelope of what a screen shows. */
export type Snapshot<T> = Readonly<{
  /** RFC 3339: the state is that of this instant. */
  asOf: string;
  /** Opaque; `null` where nothing has been recorded yet. */
  position: string | null;
  /** How far the read model is behind what it is projected from. */
  lagMs: number;
  /** One sentence for each part that is missing or late; empty when it is whole. */
  partial: readonly string[];
  data: T;
}>;

export type SnapshotFacts = Readonly<{
  /** Now, unless told. */
  asOf?: string | undefined;
  position: string | null;
  lagMs: number;
  partial?: readonly string[];
}>;

export function snapshot<T>(data: T, facts: SnapshotFacts): Snapshot<T> {
  const { asOf = new Date().toISOString(), position, lagMs, partial = [] } = facts;
  return { asOf, position, lagMs, partial, data };
}

/** The part of an answer that a controller may set. */
export type HttpReply = {
  header: (name: string, value: string) => unknown;
  status: (code: number) => unknown;
};

/** Sets `ETag: "<revision>"`. */
export function withEtag(reply: HttpReply, revision: number): void {
  reply.header('etag', `"${String(revision)}"`);
}

/** 204, for a method that has nothing to return this time. */
export function noContent(reply: HttpReply): null {
  reply.status(204);
  return null;
}
