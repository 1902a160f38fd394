/** People who have to agree, before the next stage is asked. */
export type Stage = Readonly<{ name: string; role: string; quorum: number }>;

export const STAGES_MAX = 5;
export const QUORUM_MAX = 20;

/** The first fault of a chain of stages as `field: rule`, or `null`. */
export function stageFault(stages: readonly Stage[], path: string): string | null {
  if (stages.length > STAGES_MAX) return `${path}: must be at most ${String(STAGES_MAX)} stages`;
  const names = stages.map(({ name }) => name);
  for (const [index, { name, role, quorum }] of stages.entries()) {
    const at = `${path}[${String(index)}]`;
    if (name === '') return `${at}.name: must not be empty`;
    if (names.indexOf(name) !== index) return `${at}.name: must be unique`;
    if (role === '') return `${at}.role: must not be empty`;
    if (!Number.isInteger(quorum) || quorum < 1 || quorum > QUORUM_MAX) {
      return `${at}.quorum: must be a whole number from 1 to ${String(QUORUM_MAX)}`;
    }
  }
  return null;
}
