/**
 * A `:` opens a parameter only at the start of a segment, as in `endpoints/:id`; elsewhere, as in
 * `endpoints:enrol`, it is a letter, which the router wants doubled.
 */
export function escapeRoutePath(path: string): string {
  return path.replace(/(?<=[^/:]):(?=[^:])/g, '::');
}

/** The path as people write it. */
export function plainRoutePath(path: string): string {
  return path.replaceAll('::', ':');
}
