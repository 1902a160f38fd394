export const ROLES = ['platform-engineer', 'approver', 'auditor'] as const;
export type Role = (typeof ROLES)[number];

/** Someone, or a service, with a verified token. `departments` is `['*']` for all of them. */
export type Person = Readonly<{
  kind: 'person';
  /** The subject of the token; opaque. */
  id: string;
  roles: readonly Role[];
  departments: readonly string[];
}>;

/** An agent that speaks for one endpoint. */
export type EndpointPrincipal = Readonly<{ kind: 'endpoint'; id: string }>;

export type Principal = Person | EndpointPrincipal;

export function isRole(text: unknown): text is Role {
  return ROLES.some((role) => role === text);
}

/** Those whose endpoints the person may see, `null` for all of them. */
export function visibleDepartments({ departments }: Person): readonly string[] | null {
  return departments.includes('*') ? null : departments;
}

/** Whether the person may act for a department. */
export function coversDepartment(person: Person, department: string): boolean {
  return person.departments.includes('*') || person.departments.includes(department);
}
