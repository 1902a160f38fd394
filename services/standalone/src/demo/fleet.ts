/** A machine of the demo, as whoever set it up knows it. */
export type DemoEndpoint = Readonly<{
  name: string;
  department: 'Engineering' | 'Finance';
  ring: RingName;
  hardwareModel: string;
  environment: 'production' | 'staging';
}>;

export type RingName = 'staging' | 'pilot' | 'broad';

/** An archive to be admitted, with the keyring that its own host trusts. */
export type DemoSource = Readonly<{
  uri: string;
  suite: string;
  components: readonly string[];
  architectures: readonly string[];
  /** Armored or base64. */
  keyring: string;
}>;

/** An upgrade on offer: a binary package whose security version is newer than the base version. */
export type Upgrade = Readonly<{
  package: string;
  sourcePackage: string;
  sourceVersion: string;
  from: string;
  to: string;
}>;

/** A package that breaks on one hardware class, in a signed repository of its own. */
export type BadUpgrade = Upgrade & Readonly<{ source: DemoSource; failsOn: string }>;

export type PackageState = Readonly<{ version: string; status: string }>;

/** One apt run as the endpoint's own history.log tells it. */
export type AptRun = Readonly<{
  startedAt: string;
  endedAt: string | null;
  /** Packages it upgraded, downgraded or installed. */
  packages: readonly string[];
  failed: boolean;
}>;

/** What is true on one endpoint, read from its own files and tools, never from the product. */
export type EndpointFacts = Readonly<{
  endpoint: DemoEndpoint;
  packages: Readonly<Record<string, PackageState>>;
  history: readonly AptRun[];
}>;

export type Fleet = Readonly<{
  mode: 'chroot' | 'simulated';
  endpoints: readonly DemoEndpoint[];
  sources: readonly DemoSource[];
  /** At most three; fewer when fewer are on offer. */
  upgrades: readonly Upgrade[];
  bad: BadUpgrade;
  /** Starts one agent; it enrols with the one-time token and goes on until the fleet is closed. */
  startAgent: (endpoint: DemoEndpoint, serverUrl: string, token: string) => Promise<void>;
  observe: () => Promise<readonly EndpointFacts[]>;
  /** Ends every agent and takes the endpoints away. */
  close: () => Promise<void>;
}>;

export type FleetOptions = Readonly<{
  endpoints: number;
  /** Replaces the mirror of the host's own apt files. */
  mirror: string | null;
  /** Empty folder for everything that belongs to this run alone. */
  workDir: string;
  progress: (line: string) => void;
}>;
