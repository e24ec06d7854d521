// A manager and storage servers as a client sees them, without a network: they execute requests by
// the epoch rule on one content (volatile until FLUSH), and a test may answer any of them otherwise.
import { epoch, generation, volumeId, type PeerId } from '../../src/base/brands.js'
import { isSwarmdiskError, type ErrorCode } from '../../src/base/errors.js'
import { BLOCK_BYTES } from '../../src/base/limits.js'
import { silentLog } from '../../src/base/log.js'
import { ClusterVolumeDriver } from '../../src/client/driver.js'
import type { OpenVolume } from '../../src/client/volume-driver.js'
import type { Configuration } from '../../src/layout/configuration.js'
import { ConfigurationWatch } from '../../src/net/configuration-watch.js'
import type {
  DataReply,
  DataStatus,
  FlushRequest,
  ReadRequest,
  WriteRequest,
} from '../../src/net/messages.js'
import { MANAGER, SERVERS, testConfiguration } from '../helpers/configurations.js'
import { ScriptedPeers, type SentRequest } from '../helpers/scripted-peers.js'
import { SeededRandom } from '../simulator/seeded-random.js'
import { VirtualClock } from '../simulator/virtual-clock.js'

export interface DataRequest {
  readonly kind: 'read' | 'write' | 'flush'
  readonly to: PeerId
  readonly shard: number
  readonly epoch: number
  readonly offset: number
  readonly length: number
  readonly request: number
  readonly completeBelow: number
  readonly payload: Uint8Array
}

export interface Arrival {
  readonly sent: DataRequest
  /** Executes it, once: a retry by the same number changes nothing. */
  execute(): DataReply
  answer(reply: DataReply): void
  refuse(status: DataStatus): void
}

type Blocks = Map<string, Uint8Array>

export interface ClusterOptions {
  readonly configuration?: Configuration
  readonly ioTimeout?: number
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
  /** True: the test has taken care of it. */
  intercept: (arrival: Arrival) => boolean = () => false
  #volatile: Blocks = new Map()
  #durable: Blocks = new Map()
  readonly #executed = new Set<string>()

  constructor(options: ClusterOptions = {}) {
    this.configuration = options.configuration ?? testConfiguration()
    const { clock, peers } = this
    const initial = this.configuration
    this.watch = new ConfigurationWatch({ peers, clock, log: silentLog, initial })
    peers.script = sent => this.#arrived(sent)
    this.driver = new ClusterVolumeDriver({
      clock,
      peers,
      watch: this.watch,
      log: silentLog,
      random: new SeededRandom(1),
      ioTimeout: options.ioTimeout ?? null,
      host: 'host',
      mountPoint: '/mnt',
    })
    peers.connect(MANAGER, ['manager'], { epoch: this.configuration.epoch })
    for (const server of SERVERS) peers.connect(server, ['storage'])
  }

  open(): OpenVolume {
    const volume = this.driver.open('data')
    if (!volume) throw new Error('no such volume')
    return volume
  }

  push(): void {
    const { configuration } = this
    this.peers.deliver(MANAGER, 'configuration', { kind: 'full', configuration })
  }

  /** All servers crash at once and come back with what was flushed. */
  loseMemory(): void {
    this.#volatile = new Map(this.#durable)
    this.#executed.clear()
  }

  /** What the servers hold, byte by byte. */
  content(shard: number, offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let i = 0; i < length; i++) bytes[i] = this.#byte(shard, offset + i)
    return bytes
  }

  durable(shard: number, block: number): Uint8Array | undefined {
    return this.#durable.get(`${shard}:${block}`)
  }

  #byte(shard: number, at: number): number {
    const block = this.#volatile.get(`${shard}:${Math.floor(at / BLOCK_BYTES)}`)
    return block?.[at % BLOCK_BYTES] ?? 0
  }

  #arrived(sent: SentRequest): void {
    const { operation, request, answer } = sent
    if (operation === 'fetch-configuration') {
      if (this.managerAnswers) answer({ kind: 'full', configuration: this.configuration })
      return
    }
    if (operation !== 'read' && operation !== 'write' && operation !== 'flush') return
    const data = describe(operation, sent.to, request)
    this.log.push(data)
    const arrival: Arrival = {
      sent: data,
      execute: () => this.#execute(data),
      answer,
      refuse: status => answer(this.#reply(data, status)),
    }
    if (this.intercept(arrival)) return
    this.clock.after(this.latency, () => answer(this.#execute(data)))
  }

  #reply(
    data: DataRequest,
    status: DataStatus,
    payload: Uint8Array = new Uint8Array(0),
  ): DataReply {
    const allocation = this.configuration.volumes.get(volumeId(1))?.shards[data.shard]
    return {
      status,
      epoch: this.configuration.epoch,
      generation: allocation?.generation ?? generation(0),
      queue: 0,
      payload,
    }
  }

  #execute(data: DataRequest): DataReply {
    const allocation = this.configuration.volumes.get(volumeId(1))?.shards[data.shard]
    if (!allocation) return this.#reply(data, 'not-serving')
    if (data.epoch < allocation.epoch) return this.#reply(data, 'stale-epoch')
    const primary = allocation.replicas[0]?.server === data.to
    if (!primary && data.kind !== 'read') return this.#reply(data, 'not-serving')
    if (data.kind === 'read') {
      return this.#reply(data, 'ok', this.content(data.shard, data.offset, data.length))
    }
    if (data.kind === 'write') this.#write(data)
    else {
      for (const [key, block] of this.#volatile) {
        if (key.startsWith(`${data.shard}:`)) this.#durable.set(key, block)
      }
    }
    return this.#reply(data, 'ok')
  }

  #write({ shard, offset, request, payload }: DataRequest): void {
    const once = `${shard}:${request}`
    if (this.#executed.has(once)) return
    this.#executed.add(once)
    for (let i = 0; i < payload.length;) {
      const at = offset + i
      const key = `${shard}:${Math.floor(at / BLOCK_BYTES)}`
      const block = new Uint8Array(this.#volatile.get(key) ?? new Uint8Array(BLOCK_BYTES))
      const within = at % BLOCK_BYTES
      const part = payload.subarray(i, i + BLOCK_BYTES - within)
      block.set(part, within)
      this.#volatile.set(key, block)
      i += part.length
    }
  }
}

function describe(kind: DataRequest['kind'], to: PeerId, request: unknown): DataRequest {
  const fields = request as Partial<ReadRequest & WriteRequest & FlushRequest>
  const payload = fields.payload ?? new Uint8Array(0)
  return {
    kind,
    to,
    shard: fields.shard ?? 0,
    epoch: fields.epoch ?? epoch(0),
    offset: fields.offset ?? 0,
    length: fields.length ?? payload.length,
    request: fields.request ?? 0,
    completeBelow: fields.completeBelow ?? 0,
    payload,
  }
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
