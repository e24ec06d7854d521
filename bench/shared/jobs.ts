// The jobs that are measured: what is read or written, in which pieces, how many at a time.
export interface Job {
  readonly name: string
  readonly pattern: 'randread' | 'randwrite' | 'randrw' | 'read' | 'write'
  readonly blockSize: '4k' | '1m'
  readonly depth: number
  /** Writes between two fsyncs; 0: none. */
  readonly fsyncEvery: number
}

function small(pattern: 'randread' | 'randwrite' | 'randrw', depth: number): Job {
  const what = { randread: 'random read', randwrite: 'random write', randrw: 'random read + write' }
  const name = `4 KiB ${what[pattern]}, depth ${depth}`
  return { name, pattern, blockSize: '4k', depth, fsyncEvery: 0 }
}

function large(pattern: 'read' | 'write'): Job {
  const name = `1 MiB sequential ${pattern}, depth 8`
  return { name, pattern, blockSize: '1m', depth: 8, fsyncEvery: 0 }
}

export const JOB = {
  read1: small('randread', 1),
  read16: small('randread', 16),
  write1: small('randwrite', 1),
  write16: small('randwrite', 16),
  fsync: { ...small('randwrite', 1), name: '4 KiB write + fsync, depth 1', fsyncEvery: 1 },
  readAll: large('read'),
  writeAll: large('write'),
} as const

/** The suite, in the order in which it is shown. */
export const JOBS: readonly Job[] = Object.values(JOB)

/** Not of the suite: what a busy volume sees for minutes. */
export const MIXED = small('randrw', 16)
