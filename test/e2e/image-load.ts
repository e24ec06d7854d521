// Load on the image of a volume while a test makes trouble. FioVerify: fio writes all blocks in
// random order, reads them back and checks each, pass after pass. BlockProbe: one block after the
// other is written and read back, past every cache, to see that I/O goes on and for how long it
// did not. BlockReader: one block is read again and again, and what came when is kept.
import { spawn, type ChildProcess } from 'node:child_process'
import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { delay, within } from './tools.js'

const BLOCK_BYTES = 4096
/** A pass takes seconds; with faults all along, a minute. */
const PASS_LIMIT_MS = 180_000
const HELD_LIMIT_MS = 60_000
/** Often enough to measure stalls, seldom enough to leave the machine to others. */
const PROBE_PACE_MS = 10

/** Where the load registers that it ends before the mount does. */
export interface LoadOwner {
  stopFirst(stop: () => unknown): void
}

interface Place {
  readonly image: string
  /** Bytes. */
  readonly offset: number
  readonly size: number
}

interface FioPlace extends Place {
  /** Further options of fio. */
  readonly more?: readonly string[]
}

export class FioVerify {
  #stopping = false
  #child: ChildProcess | null = null
  #passes = 0
  #longest = 0
  readonly #done: Promise<string | null>

  constructor(owner: LoadOwner, place: FioPlace) {
    this.#done = this.#repeat(place)
    owner.stopFirst(() => this.#child?.kill('SIGKILL'))
  }

  /** Whole passes so far: written, read back, equal. */
  get passes(): number {
    return this.#passes
  }

  /** The longest read, write or fsync of whole passes, its time in queues included. */
  get longestMs(): number {
    return Math.round(this.#longest)
  }

  /** Finishes the pass under way; what fio said if one failed, or null. */
  stop(): Promise<string | null> {
    this.#stopping = true
    return within('fio finishes its pass', this.#done, PASS_LIMIT_MS)
  }

  async #repeat(place: FioPlace): Promise<string | null> {
    do {
      const failure = await this.#pass(place)
      if (failure !== null) return failure
      this.#passes++
    } while (!this.#stopping)
    return null
  }

  #pass({ image, offset, size, more = [] }: FioPlace): Promise<string | null> {
    const words = [
      ...['--name=verify', '--rw=randwrite', '--bs=4k', '--ioengine=libaio', '--iodepth=16'],
      ...['--direct=1', '--fsync=256', '--verify=crc32c', '--do_verify=1', '--verify_fatal=1'],
      // One process, so that killing it kills all of it.
      ...['--verify_state_save=0', '--thread', '--output-format=json'],
      // Another seed for each pass: what an earlier one left would not verify.
      ...[`--randseed=${this.#passes + 1}`, `--filename=${image}`],
      ...[`--offset=${offset}`, `--size=${size}`, ...more],
    ]
    return new Promise(resolve => {
      const child = (this.#child = spawn('fio', words, { stdio: ['ignore', 'pipe', 'pipe'] }))
      const output: string[] = []
      child.stdout.setEncoding('utf8').on('data', (text: string) => output.push(text))
      child.stderr.setEncoding('utf8').on('data', (text: string) => output.push(text))
      child.once('close', (code, signal) => {
        if (code === 0) this.#longest = Math.max(this.#longest, longestOf(output.join('')))
        const failed = `fio ended with ${signal ?? code} in pass ${this.#passes}`
        resolve(code === 0 ? null : `${failed}:\n${output.join('')}`)
      })
    })
  }
}

interface Latency {
  readonly max: number
}

interface FioJob {
  readonly read: { readonly clat_ns: Latency }
  readonly write: { readonly clat_ns: Latency }
  readonly sync: { readonly lat_ns: Latency }
}

/** Milliseconds, from what fio prints as JSON. */
function longestOf(output: string): number {
  const { jobs } = JSON.parse(output.slice(output.indexOf('{'))) as { readonly jobs: FioJob[] }
  const longest = jobs.flatMap(job => [job.read.clat_ns, job.write.clat_ns, job.sync.lat_ns])
  return Math.max(...longest.map(({ max }) => max)) / 1e6
}

export interface ProbeResult {
  readonly operations: number
  readonly longestStallMs: number
  /** The first one; null if all went well. */
  readonly failure: string | null
}

export class BlockProbe {
  readonly #place: Place
  readonly #done: Promise<void>
  #operations = 0
  #last = performance.now()
  #longest = 0
  #failure: string | null = null
  #stopping = false

  constructor(owner: LoadOwner, place: Place) {
    this.#place = place
    this.#done = this.#work().catch((error: unknown) => {
      this.#failure ??= String(error)
    })
    owner.stopFirst(() => this.stop())
  }

  get operations(): number {
    return this.#operations
  }

  /** Measures the longest stall from now on. */
  restart(): void {
    this.#longest = 0
    this.#last = performance.now()
  }

  /** The longest stall since the last call; one that is not over counts also in the next. */
  lap(): number {
    const { longestStallMs } = this.result
    this.#longest = 0
    return longestStallMs
  }

  get result(): ProbeResult {
    const now = this.#stopping ? 0 : performance.now() - this.#last
    return {
      operations: this.#operations,
      longestStallMs: Math.round(Math.max(this.#longest, now)),
      failure: this.#failure,
    }
  }

  /** What is held now must end within a bound. */
  async stop(): Promise<ProbeResult> {
    this.#stopping = true
    await within('the block under way is answered', this.#done, HELD_LIMIT_MS)
    return this.result
  }

  async #work(): Promise<void> {
    const { image, offset, size } = this.#place
    // FUSE needs no alignment in memory for O_DIRECT.
    const file = await open(image, constants.O_RDWR | constants.O_DIRECT)
    try {
      for (let round = 0; !this.#stopping && this.#failure === null; round++) {
        // Block after block of the volume, so that every shard takes part.
        const block = (round * 1021) % (size / BLOCK_BYTES)
        await this.#block(file, offset + block * BLOCK_BYTES, round % 256)
        await delay(PROBE_PACE_MS)
      }
    } finally {
      await file.close()
    }
  }

  async #block(file: FileHandle, position: number, value: number): Promise<void> {
    const written = Buffer.alloc(BLOCK_BYTES, value)
    const read = Buffer.alloc(BLOCK_BYTES)
    await file.write(written, 0, BLOCK_BYTES, position)
    this.#completed()
    await file.read(read, 0, BLOCK_BYTES, position)
    this.#completed()
    if (!read.equals(written)) this.#failure = `${position} holds ${read[0]}, not ${value}`
  }

  #completed(): void {
    this.#longest = Math.max(this.#longest, performance.now() - this.#last)
    this.#last = performance.now()
    this.#operations++
  }
}

export interface BlockRead {
  /** By performance.now(). */
  readonly started: number
  /** The first character of the block. */
  readonly value: string
}

export class BlockReader {
  readonly #reads: BlockRead[] = []
  readonly #done: Promise<string | null>
  #stopping = false

  constructor(owner: LoadOwner, place: Pick<Place, 'image' | 'offset'>) {
    this.#done = this.#work(place).then(
      () => null,
      (error: unknown) => String(error),
    )
    owner.stopFirst(() => this.stop())
  }

  /** Those that were answered, oldest first. */
  get reads(): readonly BlockRead[] {
    return this.#reads
  }

  /** The error of a read, or null. */
  stop(): Promise<string | null> {
    this.#stopping = true
    return within('the read under way is answered', this.#done, HELD_LIMIT_MS)
  }

  async #work({ image, offset }: Pick<Place, 'image' | 'offset'>): Promise<void> {
    const file = await open(image, constants.O_RDONLY | constants.O_DIRECT)
    try {
      const block = Buffer.alloc(BLOCK_BYTES)
      while (!this.#stopping) {
        const started = performance.now()
        await file.read(block, 0, BLOCK_BYTES, offset)
        this.#reads.push({ started, value: String.fromCharCode(block[0] ?? 0) })
        await delay(PROBE_PACE_MS)
      }
    } finally {
      await file.close()
    }
  }
}
