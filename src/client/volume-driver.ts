// What FUSE, benchmarks and tests see of a cluster's volumes: named, sized, readable, writable; and
// of their snapshots, which can only be read. (Contract; the implementation is in driver.ts.)
// Failures are SwarmdiskErrors: 'io-timeout', 'aborted', 'corrupt', 'data-lost', 'not-found',
// 'disk-full', 'disk-error'; where it writes, also 'in-use', which names the client that has the
// volume, and 'fenced', when another has taken over.
import type { ByteCount, ByteOffset } from '../base/brands.js'

export interface VolumeInfo {
  readonly name: string
  readonly size: ByteCount
}

export interface SnapshotInfo {
  readonly volume: string
  /** Unique within the volume. */
  readonly name: string
  /** That the volume had then. */
  readonly size: ByteCount
  /** ISO 8601. */
  readonly at: string
}

export interface HeldState {
  readonly requests: number
  /** For people: "waiting for storage server b (down), which holds an in-sync copy". */
  readonly reason: string
  /** ISO 8601. */
  readonly since: string
}

export interface VolumeDriver {
  /** Volumes of the newest configuration known, sorted by name. */
  volumes(): readonly VolumeInfo[]
  /** Of a volume of the newest configuration; null if there is none. */
  size(name: string): ByteCount | null
  /** Null if there is no such volume. */
  open(name: string): OpenVolume | null
  /** Snapshots of the newest configuration known, sorted by volume and name. */
  snapshots(): readonly SnapshotInfo[]
  /** Null if there is no such snapshot. */
  openSnapshot(volume: string, name: string): OpenSnapshot | null
  /** Null when nothing waits. */
  held(): HeldState | null
  /** Ends all I/O, present and future, with 'aborted'. */
  abort(): void
  close(): Promise<void>
}

export interface OpenVolume {
  readonly name: string
  /** Grows when somebody has it grow. */
  readonly size: ByteCount
  /** It may write, or is about to get that right. */
  readonly claimed: boolean
  /**
   * Gets the right to write, for whoever calls it, until as many calls of release(). Rejects with
   * 'in-use' if another client has it, unless this takes it over. write() and flush() attach by
   * themselves, and then it is given back when the driver closes.
   */
  attach(options?: { readonly takeover?: boolean }): Promise<void>
  /** After the last one it is flushed and given back. */
  release(): Promise<void>
  /** Fills `into` from `offset`; the range must lie within the volume. */
  read(offset: ByteOffset, into: Uint8Array): Promise<void>
  /** Resolves when every in-sync replica has it. `data` is not touched after that, nor changed. */
  write(offset: ByteOffset, data: Uint8Array): Promise<void>
  /** The range reads as zeroes after that, and is stored as marks where it covers whole blocks. */
  discard(offset: ByteOffset, length: ByteCount): Promise<void>
  /**
   * Resolves when every write acknowledged before the call is durable on every in-sync replica
   * (I2).
   */
  flush(): Promise<void>
  /**
   * Makes it as long as that, for everybody and while it is used; where it is, nothing is done.
   * Resolves when this client knows the new size. Rejects also with 'bad-input' (no size for a
   * volume), 'refused' (it is longer; or no room), 'unreachable' and 'undecided'.
   */
  grow(size: number): Promise<void>
}

/**
 * A volume as it was at one point in time. It can only be read, needs no attachment for that, and
 * the same bytes are read for as long as it exists; after that reads fail with 'not-found', also
 * when another snapshot has got its name.
 */
export interface OpenSnapshot extends SnapshotInfo {
  /** Fills `into` from `offset`; the range must lie within the volume. */
  read(offset: ByteOffset, into: Uint8Array): Promise<void>
}
