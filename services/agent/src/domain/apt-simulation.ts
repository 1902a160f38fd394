/** An `Inst` line of `apt-get -s`; `from` null is a new installation. */
export type SimulatedInstall = Readonly<{
  package: string;
  architecture: string;
  from: string | null;
  to: string;
  origins: readonly string[];
}>;

export type SimulatedRemoval = Readonly<{ package: string; version: string; purge: boolean }>;

export type Simulation = Readonly<{
  installs: readonly SimulatedInstall[];
  removals: readonly SimulatedRemoval[];
}>;

const INST = /^Inst (\S+) (?:\[([^\]]+)\] )?\((\S+)(?: (.*?))? \[([a-z0-9-]+)\]\)/;
const REMOVAL = /^(Remv|Purg) (\S+) \[([^\]]+)\]/;

const withoutArchitecture = (name: string) => name.replace(/:[a-z0-9-]+$/, '');

function parseInstall(line: string): SimulatedInstall {
  const [, name, from, to, origins = '', architecture] = INST.exec(line) ?? [];
  if (name === undefined || to === undefined || architecture === undefined) {
    throw new Error(`Not a line that apt-get -s prints: ${line.slice(0, 200)}`);
  }
  return {
    package: withoutArchitecture(name),
    architecture,
    from: from ?? null,
    to,
    origins: origins
      .split(', ')
      .map((origin) => origin.trim())
      .filter((origin) => origin !== ''),
  };
}

function parseRemoval(line: string): SimulatedRemoval {
  const [, verb, name, version] = REMOVAL.exec(line) ?? [];
  if (name === undefined || version === undefined) {
    throw new Error(`Not a line that apt-get -s prints: ${line.slice(0, 200)}`);
  }
  return { package: withoutArchitecture(name), version, purge: verb === 'Purg' };
}

/** What `apt-get -s` says it would do. A line of a known kind in an unknown form is an error. */
export function parseSimulation(text: string): Simulation {
  const lines = text.split('\n');
  return {
    installs: lines.filter((line) => line.startsWith('Inst ')).map(parseInstall),
    removals: lines.filter((line) => /^(?:Remv|Purg) /.test(line)).map(parseRemoval),
  };
}
