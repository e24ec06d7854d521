// What the pool and its workers say to each other.

/**
 * What a seed decides: faults under clients (run-seed.ts), snapshots (snapshots/story.ts), a volume
 * that grows (growing/story.ts), or scrubs (scrub/story.ts).
 */
export const STORIES = ['faults', 'snapshots', 'growing', 'scrub'] as const
export type Story = (typeof STORIES)[number]

export interface Job {
  readonly seed: number
  readonly story: Story
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

const UNCOUNTED = { unproved: 0, operations: 0, faults: [], time: 0, hash: '' }

export function failure(seed: number, error: unknown): Result {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { seed, findings: text.split('\n'), ...UNCOUNTED, fatal: true, died: false }
}
