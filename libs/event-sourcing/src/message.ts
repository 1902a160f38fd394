/** A command or an event: a type name and its data. */
export type Message<T extends string = string, D = unknown> = Readonly<{
  type: T;
  data: Readonly<D>;
}>;
