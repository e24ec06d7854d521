// A volume driver that keeps volumes in memory and does on demand what a cluster may do: hold
// requests, fail them, grow and lose volumes. Counts what it is asked.
import { byteCount, type ByteCount, type ByteOffset } from '../../src/base/brands.js'
import { SwarmdiskError, type ErrorCode } from '../../src/base/errors.js'
import type {
  HeldState,
  OpenSnapshot,
  OpenVolume,
  SnapshotInfo,
  VolumeDriver,
  VolumeInfo,
} from '../../src/client/volume-driver.js'

const CHUNK = 64 * 1024
const LARGEST = 2 ** 46

export interface DriverCounts {
  readonly reads: number
  readonly writes: number
  readonly flushes: number
  readonly discards: number
  readonly discardedBytes: number
  readonly mostWaiting: number
  readonly largestRead: number
  readonly largestWrite: number
  readonly waiting: number
}

export class MemoryDriver implements VolumeDriver {
  readonly #volumes = new Map<string, MemoryVolume>()
  /** By "volume@name". */
  readonly #snapshots = new Map<string, MemorySnapshot>()
  readonly #waiting: { readonly go: () => void; readonly fail: (error: Error) => void }[] = []
  #holding = false
  #aborted = false
  #failure: ErrorCode | null = null
  #refusal: ErrorCode | null = null
  /** By volume: attached and not released. */
  readonly claims = new Map<string, number>()
  #counts = {
    ...{ reads: 0, writes: 0, flushes: 0, largestRead: 0, largestWrite: 0 },
    ...{ discards: 0, discardedBytes: 0, mostWaiting: 0 },
  }

  constructor(sizes: Readonly<Record<string, number>> = {}) {
    for (const [name, size] of Object.entries(sizes)) this.add(name, size)
  }

  add(name: string, size: number): void {
    this.#volumes.set(name, new MemoryVolume(name, byteCount(size), this))
  }

  /** As another host, or an operator, has it done. */
  grow(name: string, size: number): void {
    const volume = this.#volumes.get(name)
    if (volume) volume.size = byteCount(size)
  }

  remove(name: string): void {
    this.#volumes.delete(name)
  }

  snapshot(volume: string, name: string): void {
    const frozen = this.#volumes.get(volume)?.copy()
    if (frozen) this.#snapshots.set(`${volume}@${name}`, new MemorySnapshot(frozen, name, this))
  }

  deleteSnapshot(volume: string, name: string): void {
    this.#snapshots.delete(`${volume}@${name}`)
  }

  snapshots(): readonly SnapshotInfo[] {
    return [...this.#snapshots].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one)
  }

  openSnapshot(volume: string, name: string): OpenSnapshot | null {
    return this.#snapshots.get(`${volume}@${name}`) ?? null
  }

  /** From now on requests wait. */
  hold(): void {
    this.#holding = true
  }

  release(): void {
    this.#holding = false
    for (const { go } of this.#waiting.splice(0)) go()
  }

  /** From now on requests fail, until null. */
  fail(code: ErrorCode | null): void {
    this.#failure = code
  }

  counts(): DriverCounts {
    return { ...this.#counts, waiting: this.#waiting.length }
  }

  volumes(): readonly VolumeInfo[] {
    return [...this.#volumes.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  size(name: string): ByteCount | null {
    return this.#volumes.get(name)?.size ?? null
  }

  open(name: string): OpenVolume | null {
    return this.#volumes.get(name) ?? null
  }

  held(): HeldState | null {
    if (this.#waiting.length === 0) return null
    return { requests: this.#waiting.length, reason: 'a test holds it', since: '' }
  }

  abort(): void {
    this.#aborted = true
    for (const { fail } of this.#waiting.splice(0)) fail(aborted())
  }

  close(): Promise<void> {
    this.abort()
    return Promise.resolve()
  }

  /** Another client has the volume from now on, until null. */
  refuseAttach(code: ErrorCode | null): void {
    this.#refusal = code
  }

  grant({ name }: OpenVolume): Promise<void> {
    if (this.#refusal !== null) {
      return Promise.reject(new SwarmdiskError(this.#refusal, 'as the test asked for'))
    }
    this.claims.set(name, (this.claims.get(name) ?? 0) + 1)
    return Promise.resolve()
  }

  giveBack({ name }: OpenVolume): Promise<void> {
    this.claims.set(name, (this.claims.get(name) ?? 0) - 1)
    return Promise.resolve()
  }

  /** What every request of a volume passes. */
  async admit(
    kind: 'read' | 'write' | 'flush' | 'discard' | 'grow',
    what: MemoryVolume | MemorySnapshot,
    size = 0,
  ): Promise<void> {
    const counts = this.#counts
    if (kind === 'read') {
      counts.reads++
      counts.largestRead = Math.max(counts.largestRead, size)
    } else if (kind === 'write') {
      counts.writes++
      counts.largestWrite = Math.max(counts.largestWrite, size)
    } else if (kind === 'discard') {
      counts.discards++
      counts.discardedBytes += size
    } else if (kind === 'flush') counts.flushes++
    if (this.#holding) {
      await new Promise<void>((go, fail) => {
        this.#waiting.push({ go, fail })
        counts.mostWaiting = Math.max(counts.mostWaiting, this.#waiting.length)
      })
    }
    if (this.#aborted) throw aborted()
    if (this.#failure !== null) throw new SwarmdiskError(this.#failure, 'as the test asked for')
    const known: readonly unknown[] = [...this.#volumes.values(), ...this.#snapshots.values()]
    if (!known.includes(what)) throw new SwarmdiskError('not-found', 'it was deleted')
  }
}

class MemorySnapshot implements OpenSnapshot {
  readonly volume: string
  readonly name: string
  readonly size: ByteCount
  readonly at = '2026-02-03T04:05:06.000Z'
  readonly #content: MemoryVolume
  readonly #driver: MemoryDriver

  constructor(content: MemoryVolume, name: string, driver: MemoryDriver) {
    this.#content = content
    this.#driver = driver
    this.volume = content.name
    this.name = name
    this.size = content.size
  }

  async read(offset: ByteOffset, into: Uint8Array): Promise<void> {
    await this.#driver.admit('read', this, into.length)
    this.#content.fill(offset, into)
  }
}

class MemoryVolume implements OpenVolume {
  readonly name: string
  size: ByteCount
  readonly #driver: MemoryDriver
  /** By number; what was never written is not there and reads as zeroes. */
  readonly #chunks = new Map<number, Uint8Array>()

  constructor(name: string, size: ByteCount, driver: MemoryDriver) {
    this.name = name
    this.size = size
    this.#driver = driver
  }

  async read(offset: ByteOffset, into: Uint8Array): Promise<void> {
    await this.#driver.admit('read', this, into.length)
    this.fill(offset, into)
  }

  copy(): MemoryVolume {
    const copy = new MemoryVolume(this.name, this.size, this.#driver)
    for (const [number, chunk] of this.#chunks) copy.#chunks.set(number, new Uint8Array(chunk))
    return copy
  }

  fill(offset: ByteOffset, into: Uint8Array): void {
    this.#each(offset, into, (part, chunk, start) => {
      const from = this.#chunks.get(chunk)
      if (from) part.set(from.subarray(start, start + part.length))
      else part.fill(0)
    })
  }

  async write(offset: ByteOffset, data: Uint8Array): Promise<void> {
    await this.#driver.admit('write', this, data.length)
    this.#each(offset, data, (part, chunk, start) => {
      const into = this.#chunks.get(chunk) ?? new Uint8Array(CHUNK)
      into.set(part, start)
      this.#chunks.set(chunk, into)
    })
  }

  async discard(offset: ByteOffset, length: ByteCount): Promise<void> {
    await this.#driver.admit('discard', this, length)
    for (let done = 0; done < length;) {
      const start = (offset + done) % CHUNK
      const bytes = Math.min(CHUNK - start, length - done)
      this.#chunks.get(Math.floor((offset + done) / CHUNK))?.fill(0, start, start + bytes)
      done += bytes
    }
  }

  get claimed(): boolean {
    return (this.#driver.claims.get(this.name) ?? 0) > 0
  }

  attach(): Promise<void> {
    return this.#driver.grant(this)
  }

  release(): Promise<void> {
    return this.#driver.giveBack(this)
  }

  flush(): Promise<void> {
    return this.#driver.admit('flush', this)
  }

  async grow(size: number): Promise<void> {
    await this.#driver.admit('grow', this)
    if (size % 4096 !== 0 || size > LARGEST) {
      throw new SwarmdiskError('bad-input', 'no size for a volume')
    }
    this.size = byteCount(size)
  }

  #each(
    offset: number,
    bytes: Uint8Array,
    visit: (part: Uint8Array, chunk: number, start: number) => void,
  ): void {
    if (offset < 0 || offset + bytes.length > this.size) throw new Error('beyond the volume')
    for (let done = 0; done < bytes.length;) {
      const start = (offset + done) % CHUNK
      const part = bytes.subarray(done, done + CHUNK - start)
      visit(part, Math.floor((offset + done) / CHUNK), start)
      done += part.length
    }
  }
}

function aborted(): SwarmdiskError {
  return new SwarmdiskError('aborted', 'the driver was aborted')
}
