// Assertions are for bugs in swarmdisk itself and stay on in production: a server that knows that
// one of its invariants is broken must stop rather than serve. What a peer, a disk or a user can
// cause is never an assertion; it is a protocol outcome (a value) or an operating error
// (errors.ts).

/** A broken invariant: a bug in swarmdisk. Never caught but at the top of a process. */
export class AssertionFailure extends Error {
  override readonly name = 'AssertionFailure'
}

export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message)
}

/** Ends a switch over a union: the compiler proves that no case is left. */
export function exhaustive(value: never): never {
  throw new AssertionFailure(`unhandled case: ${JSON.stringify(value)}`)
}
