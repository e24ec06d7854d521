// What the pool and its workers say to each other.

export interface Job {
  readonly seed: number
  /** `print`: to standard output; both give its hash. */
  readonly trace: 'off' | 'hash' | 'print'
}

export interface Result {
  readonly seed: number
  /** What is wrong; empty if nothing is. */
  readonly findings: readonly string[]
  readonly unproved: number
  readonly operations: number
  readonly faults: readonly (readonly [string, number])[]
  /** Virtual milliseconds. */
  readonly time: number
  /** Of the trace. */
  readonly hash: string
  /** The process cannot be used any more. */
  readonly fatal: boolean
  /** The process has ended by itself: it may never have run the seed. */
  readonly died: boolean
}

export function failure(seed: number, error: unknown): Result {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  const findings = text.split('\n')
  const nothing = { unproved: 0, operations: 0, faults: [], time: 0, hash: '' }
  return { seed, findings, ...nothing, fatal: true, died: false }
}
