import { Flag, InstantField, ListOf, OrNull, Shaped, Text, Whole } from '@patchtrail/platform';
import { type Static, Type } from '@sinclair/typebox';

const Name = Type.String({ pattern: '^[a-z0-9][a-z0-9+.-]*$', maxLength: 200 });
const Architecture = Type.String({ pattern: '^[a-z0-9-]+$', maxLength: 40 });
const Version = Type.String({ minLength: 1, maxLength: 200 });
const Words = Type.Array(Type.String({ maxLength: 200 }), { maxItems: 50 });
const closed = { additionalProperties: false };

export const Packages = Type.Array(
  Type.Object(
    {
      name: Name,
      version: Version,
      architecture: Architecture,
      sourceName: Name,
      sourceVersion: Version,
      status: Type.String({ minLength: 2, maxLength: 3, description: 'dpkg db:Status-Abbrev' }),
    },
    closed,
  ),
  { maxItems: 20_000 },
);

export const Sources = Type.Array(
  Type.Object(
    {
      uri: Type.String({ minLength: 1, maxLength: 1_000 }),
      suite: Type.String({ minLength: 1, maxLength: 100 }),
      components: Words,
      keyFingerprints: Words,
    },
    closed,
  ),
  { maxItems: 500 },
);

export const PendingUpgrades = Type.Array(
  Type.Object(
    { package: Name, architecture: Architecture, from: Version, to: Version, origins: Words },
    closed,
  ),
  { maxItems: 20_000 },
);

/** Its long lists are checked by compiled schemas, for every endpoint sends it. */
export class PutInventory {
  /** Grows with every report. */
  @Whole({ min: 0 }) sequence!: number;
  @InstantField() collectedAt!: string;
  @Shaped(Packages) packages!: Static<typeof Packages>;
  /** `name:architecture` */
  @ListOf('text', { max: 5_000 }) holds!: string[];
  @Shaped(Sources) sources!: Static<typeof Sources>;
  /** The `Inst` lines of `apt-get -s dist-upgrade`. */
  @Shaped(PendingUpgrades) pendingUpgrades!: Static<typeof PendingUpgrades>;
  /** Why apt could not plan, or null. */
  @Text({ max: 4_000 }) @OrNull() aptProblem!: string | null;
  @Flag() rebootRequired!: boolean;
  @ListOf('text', { max: 5_000 }) rebootPackages!: string[];
  @ListOf('text', { max: 100, text: { max: 1_000 } }) trustProblems!: string[];
  @Text({ max: 40 }) agentVersion!: string;
}
