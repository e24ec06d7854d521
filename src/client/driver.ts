// The volumes of a cluster, as a client reads and writes them: holds what all open volumes share,
// follows the configuration and the peers, and says what is held. The work is in volume-io.ts
// (splitting, order, bounds), shard/ (routing, retries, replay, FLUSH) and held.ts (reasons).
import { Alarms } from '../base/alarms.js'
import { byteCount, type ByteCount, type VolumeId } from '../base/brands.js'
import { wait, type Clock } from '../base/clock.js'
import { isSwarmdiskError, SwarmdiskError } from '../base/errors.js'
import { CLOSE_FLUSH_MS, DETACH_DEADLINE_MS, FLUSHES_FORESEEN_AFTER } from '../base/limits.js'
import type { Log } from '../base/log.js'
import type { Random } from '../base/random.js'
import type { Configuration, VolumeRecord } from '../layout/configuration.js'
import type { ConfigurationWatch } from '../net/configuration-watch.js'
import type { Peers } from '../net/peers.js'
import type { FrameMemory } from '../net/wire/frame-memory.js'
import { ClientHeartbeats } from './access/client-heartbeats.js'
import { ClientReporter } from './client-report.js'
import type { ClientContext } from './context.js'
import { heldState } from './held.js'
import { Hedges } from './shard/hedges.js'
import { RequestCounter } from './shard/request-numbers.js'
import { ReplicaLoads } from './shard/routing.js'
import { PendingRequests } from './shard/shard-request.js'
import type { Comparison } from './snapshot/change-line.js'
import { SnapshotIo } from './snapshot/snapshot-io.js'
import { VolumeChanges } from './snapshot/volume-changes.js'
import type {
  HeldState,
  OpenSnapshot,
  OpenVolume,
  SnapshotInfo,
  VolumeDriver,
  VolumeInfo,
} from './volume-driver.js'
import { VolumeIo } from './volume-io.js'
import { Wakeup } from './wakeup.js'

export interface DriverOptions {
  readonly clock: Clock
  readonly random: Random
  readonly peers: Peers
  readonly watch: ConfigurationWatch
  readonly log: Log
  /** That of the network. */
  readonly memory: Pick<FrameMemory, 'give'>
  /** Milliseconds; null holds for ever. */
  readonly ioTimeout: number | null
  /** For `status`. */
  readonly host: string
  readonly mountPoint: string
  /** Writes together with other clients, which share as well; else nobody else does. */
  readonly shared: boolean
  /** FLUSHes after which the next is foreseen; default: FLUSHES_FORESEEN_AFTER. */
  readonly flushesForeseenAfter?: number
}

const NO_VOLUMES: Configuration['volumes'] = new Map()

export class ClusterVolumeDriver implements VolumeDriver {
  readonly #context: ClientContext
  readonly #volumes = new Map<VolumeId, VolumeIo>()
  /** By volume and layer, which no two snapshots share. */
  readonly #snapshots = new Map<VolumeId, Map<number, SnapshotIo>>()
  readonly #changes = new Set<VolumeChanges>()
  readonly #reporter: ClientReporter
  readonly #heartbeats: ClientHeartbeats
  readonly #unsubscribe: readonly (() => void)[]
  #names: ReadonlyMap<string, VolumeRecord> = new Map()
  #sorted: readonly VolumeRecord[] | null = null
  #indexed: Configuration['volumes'] = NO_VOLUMES

  constructor(options: DriverOptions) {
    const { clock, random, peers, watch, log, memory, ioTimeout, host, mountPoint } = options
    const context: ClientContext = {
      ...{ clock, random, peers, watch, log, memory, ioTimeout, host },
      flushesForeseenAfter: options.flushesForeseenAfter ?? FLUSHES_FORESEEN_AFTER,
      mode: options.shared ? 'shared' : 'exclusive',
      alarms: new Alarms(clock),
      pending: new PendingRequests(clock),
      counter: new RequestCounter(),
      loads: new ReplicaLoads(clock, random),
      hedges: new Hedges(),
      wakeup: new Wakeup(clock),
    }
    this.#context = context
    const wake = (): void => context.wakeup.all()
    this.#unsubscribe = [
      watch.subscribe(configuration => this.#reconfigured(configuration)),
      peers.subscribe({ connected: wake, rerouted: wake, disconnected: wake }),
    ]
    this.#reporter = new ClientReporter({ context, host, mountPoint, held: () => this.held() })
    this.#heartbeats = new ClientHeartbeats(context, () =>
      [...this.#volumes.values()].some(volume => volume.claimed),
    )
  }

  volumes(): readonly VolumeInfo[] {
    return this.#records().map(({ name, size }) => ({ name, size: byteCount(size) }))
  }

  size(name: string): ByteCount | null {
    return this.#record(name)?.size ?? null
  }

  open(name: string): OpenVolume | null {
    const record = this.#record(name)
    if (!record) return null
    const known = this.#volumes.get(record.id)
    if (known) return known // the order of requests holds over all who have it open
    const volume = new VolumeIo(this.#context, record)
    this.#volumes.set(record.id, volume)
    return volume
  }

  snapshots(): readonly SnapshotInfo[] {
    return this.#records().flatMap(({ name: volume, snapshots }) =>
      [...snapshots].sort(byName).map(({ name, at, size }) => ({ volume, name, size, at })),
    )
  }

  openSnapshot(volume: string, name: string): OpenSnapshot | null {
    const record = this.#record(volume)
    const found = record?.snapshots.find(snapshot => snapshot.name === name)
    if (!record || !found) return null
    const opened = this.#snapshots.get(record.id) ?? new Map<number, SnapshotIo>()
    this.#snapshots.set(record.id, opened)
    const snapshot = opened.get(found.layer) ?? new SnapshotIo(this.#context, record, found)
    opened.set(found.layer, snapshot)
    return snapshot
  }

  /** What may differ between two snapshots of a volume; null for nothing at all, and the head. */
  changes(name: string, ends: Pick<Comparison, 'from' | 'to'>): VolumeChanges | null {
    const record = this.#record(name)
    if (!record) return null
    return new VolumeChanges(this.#context, record, { ...ends, underWay: this.#changes })
  }

  #record(name: string): VolumeRecord | undefined {
    return this.#byName().get(name)
  }

  #records(): readonly VolumeRecord[] {
    const names = this.#byName()
    return (this.#sorted ??= [...names.values()].sort(byName))
  }

  /** Made for a configuration when it is first asked for a name: the kernel asks for one often. */
  #byName(): ReadonlyMap<string, VolumeRecord> {
    const volumes = this.#context.watch.current()?.volumes ?? NO_VOLUMES
    if (volumes !== this.#indexed) {
      this.#indexed = volumes
      this.#sorted = null
      this.#names = new Map([...volumes.values()].map(volume => [volume.name, volume]))
    }
    return this.#names
  }

  held(): HeldState | null {
    const { clock, pending, peers, watch } = this.#context
    return heldState(pending, {
      now: clock.now(),
      configuration: watch.current(),
      connected: peer => peers.find(peer) !== undefined,
    })
  }

  abort(): void {
    this.#end('The mount was aborted: all its I/O has ended.')
  }

  /** Makes durable what can be, gives back what it may write to, for a bounded time, then ends. */
  async close(): Promise<void> {
    const volumes = [...this.#volumes.values()]
    const { clock } = this.#context
    const flushed = Promise.all(volumes.map(volume => this.#lastFlush(volume)))
    await Promise.race([flushed, wait(clock, CLOSE_FLUSH_MS)])
    const givenBack = Promise.all(volumes.map(volume => volume.giveBack()))
    await Promise.race([givenBack, wait(clock, DETACH_DEADLINE_MS)])
    this.#end('The volumes were closed.')
  }

  async #lastFlush(volume: VolumeIo): Promise<void> {
    try {
      await volume.flushOwn()
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      this.#context.log.warn('not flushed at the end', { volume: volume.name, code: error.code })
    }
  }

  #end(sentence: string): void {
    for (const stop of this.#unsubscribe) stop()
    for (const volume of this.#volumes.values()) volume.end()
    this.#reporter.stop()
    this.#heartbeats.stop()
    this.#context.pending.endAll(new SwarmdiskError('aborted', sentence))
  }

  #reconfigured(configuration: Configuration): void {
    for (const [id, volume] of this.#volumes) {
      const record = configuration.volumes.get(id) ?? null
      volume.reconfigured(record)
      if (!record) this.#volumes.delete(id)
    }
    for (const [id, opened] of this.#snapshots) {
      const record = configuration.volumes.get(id) ?? null
      for (const [layer, snapshot] of opened) {
        if (!snapshot.reconfigured(record)) opened.delete(layer)
      }
      if (opened.size === 0) this.#snapshots.delete(id)
    }
    for (const changes of this.#changes) {
      changes.reconfigured(configuration.volumes.get(changes.volume) ?? null)
    }
    this.#context.loads.keep(configuration.servers)
    this.#context.wakeup.all()
  }
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
}
