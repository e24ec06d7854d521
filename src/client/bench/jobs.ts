// What `swarmdisk bench` can measure: the jobs of a disk. Where a job is one of the developers'
// suite (bench/shared/jobs.ts) it has the same name. Pure.
import { BLOCK_BYTES, REQUEST_BYTES_MAX } from '../../base/limits.js'

const KIB = 1024
const MIB = 1024 * KIB

export interface BenchJob {
  readonly name: string
  readonly kind: 'read' | 'write'
  readonly order: 'random' | 'sequential'
  /** Bytes of each request, in whole blocks. */
  readonly blockSize: number
  /** Requests under way. */
  readonly depth: number
  /** A FLUSH follows each write, and both are one operation. */
  readonly flush: boolean
}

type Shape = Omit<BenchJob, 'name'>

function small(kind: BenchJob['kind'], depth: number): Shape {
  return { kind, order: 'random', blockSize: BLOCK_BYTES, depth, flush: false }
}

function large(kind: BenchJob['kind']): Shape {
  return { kind, order: 'sequential', blockSize: REQUEST_BYTES_MAX, depth: 8, flush: false }
}

const SHAPES: readonly Shape[] = [
  small('read', 1),
  small('read', 16),
  small('write', 1),
  small('write', 16),
  { ...small('write', 1), flush: true },
  large('read'),
  large('write'),
]

/** All jobs, in the order in which they run; null leaves a depth or size as it is. */
export function benchJobs(wanted: {
  readonly depth: number | null
  readonly blockSize: number | null
}): readonly BenchJob[] {
  const jobs = SHAPES.map(shape => {
    const depth = wanted.depth ?? shape.depth
    const changed = { ...shape, depth, blockSize: wanted.blockSize ?? shape.blockSize }
    return { name: nameOf(changed), ...changed }
  })
  // With one depth for all, some are the same.
  return jobs.filter(({ name }, i) => jobs.findIndex(job => job.name === name) === i)
}

function nameOf({ kind, order, blockSize, depth, flush }: Shape): string {
  const what = flush ? `${kind} + flush` : `${order} ${kind}`
  return `${sizeText(blockSize)} ${what}, depth ${depth}`
}

/** Of whole blocks: "4 KiB", "1 MiB". */
export function sizeText(bytes: number): string {
  return bytes % MIB === 0 ? `${bytes / MIB} MiB` : `${bytes / KIB} KiB`
}
