// A manager and storage servers as a client sees them, without a network: they execute requests by
// the epoch rule on one content (volatile until FLUSH), and a test may answer any otherwise.
import { byteCount, epoch as toEpoch, generation, type Epoch } from '../../src/base/brands.js'
import { isSwarmdiskError, type ErrorCode } from '../../src/base/errors.js'
import { FLUSHES_FORESEEN_AFTER } from '../../src/base/limits.js'
import { silentLog } from '../../src/base/log.js'
import { ClusterVolumeDriver } from '../../src/client/driver.js'
import type { OpenVolume } from '../../src/client/volume-driver.js'
import type { Attachment, Configuration, VolumeRecord } from '../../src/layout/configuration.js'
import { freeze, headOf, prune, rollBack } from '../../src/layout/layers.js'
import type { AdminCommand, AdminResult } from '../../src/net/admin.js'
import { ConfigurationWatch } from '../../src/net/configuration-watch.js'
import type {
  AttachReply,
  AttachRequest,
  DataReply,
  DataStatus,
  DetachReply,
} from '../../src/net/messages.js'
import type { DataOperation } from '../../src/net/operations.js'
import { UNSHARED_FRAMES } from '../../src/net/wire/frame-memory.js'
import {
  inSync,
  MANAGER,
  reallocated,
  SERVER_B,
  SERVERS,
  testConfiguration,
} from '../helpers/configurations.js'
import { ScriptedPeers, type SentRequest } from '../helpers/scripted-peers.js'
import { SeededRandom } from '../simulator/seeded-random.js'
import { VirtualClock } from '../simulator/virtual-clock.js'
import { dataRequest, ServerContent, type DataRequest } from './server-content.js'

const SINCE = '2026-01-01T00:00:00.000Z'

export interface Arrival {
  readonly sent: DataRequest
  /** Executes it, once: a retry by the same number changes nothing. */
  execute(): DataReply
  answer(reply: DataReply): void
  refuse(status: DataStatus): void
}

export interface ClusterOptions {
  readonly configuration?: Configuration
  readonly ioTimeout?: number
  readonly shared?: boolean
  readonly flushesForeseenAfter?: number
}

export class ScriptedCluster {
  readonly clock = new VirtualClock()
  readonly peers = new ScriptedPeers(this.clock)
  readonly watch: ConfigurationWatch
  readonly driver: ClusterVolumeDriver
  readonly log: DataRequest[] = []
  /** What manager and servers have; the client learns of it by `push` or by asking. */
  configuration: Configuration
  /** Latency of an answer that nothing else is said about. */
  latency = 1
  managerAnswers = true
  /** What the manager says to `attach` and `detach`: by default what is so already. */
  attachReply: (request: AttachRequest) => AttachReply = () => {
    return { kind: 'attached', epoch: this.#attachedAt }
  }
  detachReply: () => DetachReply = () => {
    return { kind: 'detached', epoch: this.configuration.epoch }
  }
  /** What the manager answers to a command of an operator; null: nothing. */
  adminReply: (command: AdminCommand) => AdminResult | null = () => null
  readonly #shared: boolean
  readonly #attachedAt: Epoch
  /** True: the test has taken care of it. */
  intercept: (arrival: Arrival) => boolean = () => false
  readonly servers = new ServerContent(() => this.configuration)

  constructor(options: ClusterOptions = {}) {
    this.#shared = options.shared ?? false
    const given = options.configuration ?? testConfiguration()
    const volumes = [...given.volumes].map(([id, volume]) => {
      return [id, { ...volume, attachments: [this.own] }] as const
    })
    this.configuration = { ...given, volumes: new Map(volumes) }
    this.#attachedAt = given.epoch
    const { clock, peers } = this
    const initial = this.configuration
    this.watch = new ConfigurationWatch({ peers, clock, log: silentLog, initial })
    peers.script = sent => this.#arrived(sent)
    this.driver = new ClusterVolumeDriver({
      clock,
      peers,
      watch: this.watch,
      log: silentLog,
      memory: UNSHARED_FRAMES,
      random: new SeededRandom(1),
      ioTimeout: options.ioTimeout ?? null,
      host: 'host',
      mountPoint: '/mnt',
      shared: this.#shared,
      flushesForeseenAfter: options.flushesForeseenAfter ?? FLUSHES_FORESEEN_AFTER,
    })
    peers.connect(MANAGER, ['manager'], { epoch: this.configuration.epoch })
    for (const server of SERVERS) peers.connect(server, ['storage'])
  }

  open(): OpenVolume {
    const volume = this.driver.open('data')
    if (!volume) throw new Error('no such volume')
    return volume
  }

  /** All servers lost their memory, and the managers resumed every shard from one of them. */
  resume(number: number): void {
    this.servers.loseMemory()
    this.configuration = reallocated(this.configuration, 'all', {
      generation: generation(number),
      replicas: inSync(SERVER_B),
    })
  }

  /** This client, as the configuration names it from the beginning. */
  get own(): Attachment {
    const mode = this.#shared ? 'shared' : 'exclusive'
    return { client: this.peers.self, host: 'host', mode, since: SINCE }
  }

  /** The next epoch, in which just these are attached; who is not any more is fenced. */
  hold(attachments: readonly Attachment[]): void {
    const before = this.configuration
    const [volume] = before.volumes.values()
    const stays = volume!.attachments.every(old => attachments.some(a => a.client === old.client))
    const next = reallocated(before, stays ? -1 : 'all', {})
    const [fenced] = next.volumes.values()
    this.configuration = { ...next, volumes: new Map([[fenced!.id, { ...fenced!, attachments }]]) }
  }

  /** The next epoch, in which the head is frozen under this name. */
  snapshot(name: string): void {
    const volume = this.#reallocated()
    const { id: layer } = headOf(volume.layers)
    this.servers.freeze(layer)
    const { epoch } = this.configuration
    const record = { name, layer, at: SINCE, epoch, size: volume.size, source: null }
    const snapshots = [...volume.snapshots, record]
    this.#replace({ ...volume, layers: freeze(volume.layers), snapshots })
  }

  deleteSnapshot(name: string): void {
    const volume = this.#reallocated()
    const snapshots = volume.snapshots.filter(snapshot => snapshot.name !== name)
    const named = new Set(snapshots.map(({ layer }) => layer))
    this.#replace({ ...volume, snapshots, layers: prune(volume.layers, named) })
  }

  /** The next epoch, in which the head lies on this snapshot. */
  rollBack(name: string): void {
    const volume = this.#reallocated()
    const to = volume.snapshots.find(snapshot => snapshot.name === name)!.layer
    const named = new Set(volume.snapshots.map(({ layer }) => layer))
    this.servers.rollBack(to)
    this.#replace({ ...volume, layers: rollBack(volume.layers, { to, named }) })
  }

  /** The next epoch, in which the volume has this size. */
  grow(size: number): void {
    const [volume] = this.configuration.volumes.values()
    const epoch = toEpoch(this.configuration.epoch + 1)
    this.configuration = { ...this.configuration, epoch }
    this.#replace({ ...volume!, size: byteCount(size) })
  }

  #reallocated(): VolumeRecord {
    this.configuration = reallocated(this.configuration, 'all', {})
    const [volume] = this.configuration.volumes.values()
    return volume!
  }

  #replace(volume: VolumeRecord): void {
    this.configuration = { ...this.configuration, volumes: new Map([[volume.id, volume]]) }
  }

  push(): void {
    const { configuration } = this
    this.peers.deliver(MANAGER, 'configuration', { kind: 'full', configuration })
  }

  #arrived(sent: SentRequest): void {
    const { operation, request, answer } = sent
    if (operation === 'fetch-configuration') {
      if (this.managerAnswers) answer({ kind: 'full', configuration: this.configuration })
      return
    }
    if (operation === 'attach') return answer(this.attachReply(request as AttachRequest))
    if (operation === 'detach') return answer(this.detachReply())
    if (operation === 'admin') {
      const { json } = request as { readonly json: string }
      const result = this.adminReply(JSON.parse(json) as AdminCommand)
      return result === null ? undefined : answer({ json: JSON.stringify(result) })
    }
    if (!isData(operation)) return
    const data = dataRequest(operation, sent.to, request)
    this.log.push(data)
    const arrival: Arrival = {
      sent: data,
      execute: () => this.servers.execute(data),
      answer,
      refuse: status => answer(this.servers.reply(data, status)),
    }
    if (this.intercept(arrival)) return
    this.clock.after(this.latency, () => answer(this.servers.execute(data)))
  }
}

function isData(operation: string): operation is DataOperation {
  return ['read', 'write', 'flush', 'held-blocks'].includes(operation)
}

export function filled(length: number, value: number): Uint8Array {
  return new Uint8Array(length).fill(value)
}

/** The code with which a promise fails; throws if it does not. */
export async function codeOf(promise: Promise<unknown>): Promise<ErrorCode> {
  try {
    await promise
  } catch (error) {
    if (isSwarmdiskError(error)) return error.code
    throw error
  }
  throw new Error('it did not fail')
}
